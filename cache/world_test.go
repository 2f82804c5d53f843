package cache

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/s3store/seal"
)

// world is a repository in memory: packs with real seals, and the rows that tell of them.
type world struct {
	t       testing.TB
	keys    *seal.Keys
	counter int64

	// the store
	mu      sync.Mutex
	objects map[string][]byte
	gets    atomic.Int64
	bytes   atomic.Int64
	fault   func(ctx context.Context, key string, off int64) error // before each GET; may be nil

	// the catalog
	places  []catalog.Place // by chunk ID
	pieces  map[catalog.ID][]catalog.PlacedPiece
	queries atomic.Int64

	// the pack that grows
	writer   *pack.Writer
	id       catalog.PackID
	packRow  catalog.ID
	plain    []byte
	chunks   []pack.Chunk
	unplaced int // first place of the growing pack
	packSize int
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, objects: make(map[string][]byte), pieces: make(map[catalog.ID][]catalog.PlacedPiece), packSize: pack.DefaultSize}
	w.keys = seal.NewKeys(seal.Master{1, 2, 3}, catalog.RepositoryID{4, 5})
	return w
}

func (w *world) newID() catalog.ID {
	w.counter++
	return catalog.NewID(7, w.counter)
}

// noise is size bytes that do not compress, made from seed.
func noise(size int, seed uint64) []byte {
	b := make([]byte, size)
	r := rand.NewPCG(seed, 1)
	for i := 0; i+8 <= size; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], r.Uint64())
	}
	for i := size &^ 7; i < size; i++ {
		b[i] = byte(seed) + byte(i)
	}
	return b
}

// chunk stores a chunk.
func (w *world) chunk(plain []byte) catalog.ID {
	if len(w.plain) > 0 && len(w.plain)+len(plain) > pack.SegmentSize {
		w.seal()
	}
	c := pack.Chunk{ID: w.newID(), Hash: w.keys.HashChunk(plain), Offset: uint32(len(w.plain)), Length: uint32(len(plain))}
	w.plain = append(w.plain, plain...)
	w.chunks = append(w.chunks, c)
	return c.ID
}

// seal ends a segment.
func (w *world) seal() {
	if len(w.plain) == 0 {
		return
	}
	if w.writer == nil {
		w.packRow = w.newID()
		binary.BigEndian.PutUint64(w.id[:], uint64(w.packRow))
		w.writer = pack.NewWriter(w.keys, w.packRow, w.id, nil)
	}
	number := uint32(w.writer.Segments())
	sealed := pack.SealSegment(nil, pack.SegmentBox(w.keys, w.id), number, w.plain, seal.Auto)
	s := catalog.Segment{ID: w.newID(), Pack: w.packRow, Number: number, Stored: uint32(len(sealed)), Length: uint32(len(w.plain))}
	s.Offset = w.writer.Append(s.ID, number, sealed, s.Length, w.chunks)
	for _, c := range w.chunks {
		w.places = append(w.places, catalog.Place{Chunk: c.ID, Hash: c.Hash, Offset: c.Offset, Length: c.Length, Segment: s, Pack: catalog.Pack{ID: w.packRow, Key: w.id}})
	}
	w.plain, w.chunks = w.plain[:0], nil
	if w.writer.Size() >= w.packSize {
		w.finish()
	}
}

// finish ends a pack.
func (w *world) finish() {
	w.seal()
	if w.writer == nil {
		return
	}
	object := w.writer.Finish()
	w.objects[pack.Key(w.id)] = object
	for ; w.unplaced < len(w.places); w.unplaced++ {
		w.places[w.unplaced].Pack.Size = int64(len(object))
	}
	w.writer = nil
}

// small is the entry of a file of one chunk.
func (w *world) small(name string, data []byte) catalog.Entry {
	e := catalog.Entry{ID: w.newID(), Ino: w.newID(), Kind: catalog.File, Name: name, Size: int64(len(data))}
	if len(data) > 0 {
		e.Chunk = w.chunk(data)
	}
	return e
}

// span is data at an offset of a file.
type span struct {
	off  int64
	data []byte
}

// large is the entry of a file of pieces, cut into chunks of chunkSize.
func (w *world) large(name string, size int64, chunkSize int, spans ...span) catalog.Entry {
	e := catalog.Entry{ID: w.newID(), Ino: w.newID(), Kind: catalog.File, Name: name, Size: size, Content: w.newID()}
	for _, s := range spans {
		off := s.off
		for c := range slices.Chunk(s.data, chunkSize) {
			w.pieces[e.Content] = append(w.pieces[e.Content], catalog.PlacedPiece{Offset: off, Place: catalog.Place{Chunk: w.chunk(c)}})
			off += int64(len(c))
		}
	}
	return e
}

// ready ends what grows; then the world can be read.
func (w *world) ready() {
	w.finish()
	slices.SortFunc(w.places, func(a, b catalog.Place) int { return int(a.Chunk - b.Chunk) })
	for _, ps := range w.pieces {
		for i := range ps {
			ps[i].Place = *w.place(ps[i].Place.Chunk)
		}
	}
}

func (w *world) place(id catalog.ID) *catalog.Place {
	i, ok := slices.BinarySearchFunc(w.places, id, func(p catalog.Place, id catalog.ID) int { return int(p.Chunk - id) })
	if !ok {
		return nil
	}
	return &w.places[i]
}

// reader opens the world; it is closed with the test.
func (w *world) reader(o Options) *Reader {
	w.t.Helper()
	r, err := New(w, w, w.keys, o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { w.close(r) })
	return r
}

// close closes r, and holds it to having given all its memory back.
func (w *world) close(r *Reader) {
	if err := r.Close(); err != nil {
		w.t.Error(err)
	}
	if n := r.memory.pool.mapped.Load(); n != 0 {
		w.t.Errorf("%d bytes of memory were not given back", n)
	}
}

func (w *world) GetRange(ctx context.Context, key string, off int64, dst []byte) (int, error) {
	w.gets.Add(1)
	w.bytes.Add(int64(len(dst)))
	if w.fault != nil {
		if err := w.fault(ctx, key, off); err != nil {
			return 0, err
		}
	}
	w.mu.Lock()
	object, ok := w.objects[key]
	w.mu.Unlock()
	if !ok {
		return 0, fmt.Errorf("%s: no such object", key)
	}
	n := copy(dst, object[min(off, int64(len(object))):])
	if n < len(dst) {
		return n, io.ErrUnexpectedEOF
	}
	return n, ctx.Err()
}

func (w *world) ChunkPlaces(ctx context.Context, ids []catalog.ID, fn func(*catalog.Place) error) error {
	w.queries.Add(1)
	for _, id := range ids {
		if p := w.place(id); p != nil {
			if err := fn(p); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

func (w *world) PlacesFrom(ctx context.Context, from catalog.ID, limit int, fn func(*catalog.Place) error) error {
	w.queries.Add(1)
	i, _ := slices.BinarySearchFunc(w.places, from, func(p catalog.Place, id catalog.ID) int { return int(p.Chunk - id) })
	for ; i < len(w.places) && limit > 0 && w.places[i].Chunk.Scan() == from.Scan(); i, limit = i+1, limit-1 {
		if err := fn(&w.places[i]); err != nil {
			return err
		}
	}
	return ctx.Err()
}

func (w *world) Pieces(ctx context.Context, content catalog.ID, from int64, limit int, fn func(*catalog.PlacedPiece) error) error {
	w.queries.Add(1)
	ps := w.pieces[content]
	i := slices.IndexFunc(ps, func(p catalog.PlacedPiece) bool { return p.Offset+int64(p.Place.Length) > from })
	for ; i >= 0 && i < len(ps) && limit > 0; i, limit = i+1, limit-1 {
		if err := fn(&ps[i]); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// readAll reads a file in steps and compares it.
func readAll(t testing.TB, r *Reader, e *catalog.Entry, want []byte, step int) {
	t.Helper()
	buf := make([]byte, step)
	for off := 0; off <= len(want); off += step {
		n, err := r.ReadAt(t.Context(), e, buf, int64(off))
		if err != nil {
			t.Fatalf("%s at %d: %v", e.Name, off, err)
		}
		if !bytes.Equal(buf[:n], want[off:min(off+step, len(want))]) {
			t.Fatalf("%s at %d: %d wrong bytes", e.Name, off, n)
		}
	}
}

var errAway = errors.New("the store is away")

// eventually waits for a condition that is sure to come.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not happen", what)
		}
	}
}
