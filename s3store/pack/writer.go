package pack

import (
	"encoding/binary"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/seal"
)

// Chunk is one chunk of a segment that is appended. Its ID is of the same scan as the pack's.
type Chunk struct {
	ID     catalog.ID
	Hash   catalog.Hash
	Offset uint32 // in the plaintext of the segment
	Length uint32 // bytes of plaintext
}

// Writer makes one pack in memory, in one goroutine. All IDs that it is given are of one scan.
type Writer struct {
	keys *seal.Keys
	key  catalog.PackID
	buf  []byte
	dir  directoryWriter
}

// NewWriter begins a pack in the capacity of buf; what buf holds is overwritten. id is its row in the catalog, key its
// name in the store.
func NewWriter(keys *seal.Keys, id catalog.ID, key catalog.PackID, buf []byte) *Writer {
	return &Writer{keys: keys, key: key, buf: append(buf[:0], header...), dir: newDirectoryWriter(id)}
}

// Append adds a segment that SealSegment made, with its number, the length of its plaintext and its chunks, and returns
// its offset in the pack. It panics if an ID is of another scan than the pack's.
func (w *Writer) Append(id catalog.ID, number uint32, sealed []byte, length uint32, chunks []Chunk) (offset int64) {
	offset = int64(len(w.buf))
	w.buf = append(w.buf, sealed...)
	w.dir.add(id, number, len(sealed), length, chunks)
	return offset
}

// Size is how many bytes the pack has so far, without its directory.
func (w *Writer) Size() int { return len(w.buf) }

// Segments is how many segments were appended.
func (w *Writer) Segments() int { return w.dir.segments }

// Finish is the whole object. The writer must not be used again; the result is in the capacity of the buffer it was
// given, if that was enough.
func (w *Writer) Finish() []byte {
	start := len(w.buf)
	w.buf = w.keys.Box(seal.PackDirectory, w.key).Seal(w.buf, 0, w.dir.encode(), nil)
	w.buf = binary.LittleEndian.AppendUint32(w.buf, uint32(len(w.buf)-start))
	w.buf = append(w.buf, trailerTag...)
	return w.buf
}
