package pack

import (
	"encoding/binary"
	"fmt"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/seal"
)

// The directory's plaintext is the length of its raw form (unsigned LEB128) and the raw form compressed by
// seal.Compress. The raw form is, all integers unsigned LEB128 or (where marked z) zigzag and LEB128:
//
//	scan; counter of the pack's ID; number of segments; number of chunks
//	per segment as they lie in the pack: z counter of its ID less that of the segment before (at first the pack's);
//	   z its number less that before less 1; bytes in the pack; bytes of plaintext; number of chunks
//	per chunk, segment by segment: z counter of its ID less that of the chunk before (at first the pack's);
//	   z its offset less the end of the chunk before it in its segment; bytes
//	per chunk: its hash, 32 bytes
//
// Offsets of segments are not told: they follow from the lengths, without gaps.

const (
	maxRawDirectory = 64 << 20
	minSegmentBytes = 5  // of a segment in the raw form
	minChunkBytes   = 35 // of a chunk in the raw form, with its hash
)

// Directory is what a pack tells about itself: rows of the catalog.
type Directory struct {
	Pack     catalog.Pack
	Segments []catalog.Segment // as they lie in the pack
	Chunks   []catalog.Chunk   // segment by segment
}

// directoryWriter collects the columns of a directory.
type directoryWriter struct {
	pack                   catalog.ID
	segments, chunks       int
	lastSegment, lastChunk int64 // counters
	lastNumber             int64
	segmentRows, chunkRows []byte
	hashes                 []byte
}

func newDirectoryWriter(pack catalog.ID) directoryWriter {
	return directoryWriter{pack: pack, lastSegment: pack.Counter(), lastChunk: pack.Counter(), lastNumber: -1}
}

func (d *directoryWriter) add(id catalog.ID, number uint32, stored int, length uint32, chunks []Chunk) {
	d.segments++
	d.segmentRows = binary.AppendVarint(d.segmentRows, d.counter(id)-d.lastSegment)
	d.segmentRows = binary.AppendVarint(d.segmentRows, int64(number)-d.lastNumber-1)
	d.segmentRows = binary.AppendUvarint(d.segmentRows, uint64(stored))
	d.segmentRows = binary.AppendUvarint(d.segmentRows, uint64(length))
	d.segmentRows = binary.AppendUvarint(d.segmentRows, uint64(len(chunks)))
	d.lastSegment, d.lastNumber = id.Counter(), int64(number)

	d.chunks += len(chunks)
	end := int64(0)
	for i := range chunks {
		c := &chunks[i]
		d.chunkRows = binary.AppendVarint(d.chunkRows, d.counter(c.ID)-d.lastChunk)
		d.chunkRows = binary.AppendVarint(d.chunkRows, int64(c.Offset)-end)
		d.chunkRows = binary.AppendUvarint(d.chunkRows, uint64(c.Length))
		d.hashes = append(d.hashes, c.Hash[:]...)
		d.lastChunk, end = c.ID.Counter(), int64(c.Offset)+int64(c.Length)
	}
}

func (d *directoryWriter) counter(id catalog.ID) int64 {
	if !id.Valid() || id.Scan() != d.pack.Scan() {
		panic(fmt.Sprintf("pack: %s in pack %s: of another scan", id, d.pack))
	}
	return id.Counter()
}

// encode is the plaintext of the directory.
func (d *directoryWriter) encode() []byte {
	var raw []byte
	for _, n := range []int64{d.pack.Scan(), d.pack.Counter(), int64(d.segments), int64(d.chunks)} {
		raw = binary.AppendUvarint(raw, uint64(n))
	}
	raw = append(append(append(raw, d.segmentRows...), d.chunkRows...), d.hashes...)
	return seal.Compress(binary.AppendUvarint(nil, uint64(len(raw))), raw, seal.Auto)
}

// ReadDirectory reads the directory of the pack with that key, an object of size bytes, by one call of readAt as a
// rule. readAt fills dst with what is at off. What is returned was authenticated and holds together; otherwise the
// error is seal.ErrDamaged, or readAt's.
func ReadDirectory(k *seal.Keys, key catalog.PackID, size int64, readAt func(off int64, dst []byte) error) (*Directory, error) {
	if size < int64(len(header)+trailerSize+seal.Overhead) || size > catalog.MaxPack {
		return nil, fmt.Errorf("%w: a pack of %d bytes", seal.ErrDamaged, size)
	}
	sealed, start, err := readTail(size, readAt)
	if err != nil {
		return nil, err
	}
	plain, err := k.Box(seal.PackDirectory, key).Open(nil, 0, sealed, nil)
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	length, used := binary.Uvarint(plain)
	if used <= 0 || length > maxRawDirectory {
		return nil, fmt.Errorf("%w: a directory of %d bytes", seal.ErrDamaged, length)
	}
	raw, err := seal.Decompress(nil, plain[used:], int(length))
	if err != nil {
		return nil, fmt.Errorf("directory: %w", err)
	}
	return parseDirectory(raw, key, size, start)
}

// tailSize is what is read first of a pack: the directory of most, in one request.
const tailSize = 64 << 10

// readTail gives the sealed directory of a pack and its offset.
func readTail(size int64, readAt func(off int64, dst []byte) error) (sealed []byte, start int64, err error) {
	tail := make([]byte, min(size-int64(len(header)), tailSize))
	if err := readAt(size-int64(len(tail)), tail); err != nil {
		return nil, 0, err
	}
	end := tail[len(tail)-trailerSize:]
	if string(end[4:]) != trailerTag {
		return nil, 0, fmt.Errorf("%w: no trailer of a pack of version %d", seal.ErrDamaged, trailerTag[len(trailerTag)-1])
	}
	length := int64(binary.LittleEndian.Uint32(end))
	start = size - int64(trailerSize) - length
	if length < seal.Overhead || start < int64(len(header)) {
		return nil, 0, fmt.Errorf("%w: a directory of %d bytes in a pack of %d", seal.ErrDamaged, length, size)
	}
	if have := int64(len(tail) - trailerSize); length <= have {
		return tail[have-length : have], start, nil
	}
	if length > maxRawDirectory {
		return nil, 0, fmt.Errorf("%w: a directory of %d bytes", seal.ErrDamaged, length)
	}
	sealed = make([]byte, length)
	missing := length - int64(len(tail)-trailerSize)
	copy(sealed[missing:], tail)
	return sealed, start, readAt(start, sealed[:missing])
}
