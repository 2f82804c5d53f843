// Package cache gives the bytes of files out of packs: verified, and mostly before they are asked for.
//
// A read finds the places of its chunks (atlas.go), takes their decoded segments out of memory (memory.go, segments.go),
// decodes what is missing out of encrypted blocks of packs (fetch.go), and reads blocks that are neither in memory nor
// on disk (disk.go) from the store. Each of these steps is done once for all who wait for it. Readers that go along a
// file, or along the order in which chunks were packed, are noticed (ahead.go), and what they need next is on its way.
//
// Nothing leaves this package that was not authenticated with its segment and compared with the hash of its chunk.
package cache

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/seal"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"
)

// Catalog tells where bytes are. The contracts are those of package catalog's engines.
type Catalog interface {
	// ChunkPlaces reports the places of chunks, in any order; absent ones are left out.
	ChunkPlaces(ctx context.Context, ids []catalog.ID, fn func(*catalog.Place) error) error
	// PlacesFrom reports up to limit chunks with ID >= from and of the same scan, ascending.
	PlacesFrom(ctx context.Context, from catalog.ID, limit int, fn func(*catalog.Place) error) error
	// Pieces reports up to limit pieces of a content, ascending, beginning with the one that covers from or follows it.
	Pieces(ctx context.Context, content catalog.ID, from int64, limit int, fn func(*catalog.PlacedPiece) error) error
}

// Store reads parts of objects. It fills dst; n < len(dst) comes with io.ErrUnexpectedEOF if the object ends.
type Store interface {
	GetRange(ctx context.Context, key string, off int64, dst []byte) (n int, err error)
}

// DefaultMemory is what a Reader may hold if Options do not say: enough for 16 readers with a block of 4 MiB and two
// segments each.
const DefaultMemory = 96 << 20

// Options of a Reader. The zero value has 96 MiB of memory, no disk cache, and reads ahead.
type Options struct {
	MemoryBytes int64  // for blocks and decoded segments together; 0: DefaultMemory
	Dir         string // of the disk cache; "": none
	DiskBytes   int64  // limit of the disk cache; 0: DefaultDisk
	NoReadAhead bool   // read nothing before it is asked for
}

// ErrClosed: the Reader was closed.
var ErrClosed = errors.New("the cache is closed")

// Reader reads files by their entries, and chunks by their places. All methods may be called by many goroutines.
type Reader struct {
	store   Store
	opener  opener
	atlas   *atlas
	memory  *memory
	disk    *disk // nil: none
	streams *streams
	options Options

	fetching *semaphore.Weighted // bytes that demand fetches may have in flight
	decoders chan struct{}       // who may decode
	limit    int64               // of fetching

	ctx    context.Context // of everything in the background; ends with Close
	cancel context.CancelCauseFunc
	mu     sync.Mutex // of closed, and of starting tasks
	closed bool
	tasks  errgroup.Group // never fails: results go to who waits for them
}

// New makes a Reader. Close it to give its memory back. A disk cache that cannot be used is no error: it is done without.
func New(cat Catalog, store Store, keys *seal.Keys, o Options) (*Reader, error) {
	return newReader(cat, store, newKeyring(keys), o)
}

func newReader(cat Catalog, store Store, op opener, o Options) (*Reader, error) {
	if o.MemoryBytes < 0 || o.DiskBytes < 0 {
		return nil, fmt.Errorf("cache of %d bytes of memory and %d of disk", o.MemoryBytes, o.DiskBytes)
	}
	if o.MemoryBytes == 0 {
		o.MemoryBytes = DefaultMemory
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	r := &Reader{
		store: store, opener: op, options: o, ctx: ctx, cancel: cancel,
		atlas:    newAtlas(cat),
		memory:   newMemory(o.MemoryBytes),
		streams:  newStreams(o.MemoryBytes / 5 * 2),
		limit:    max(o.MemoryBytes/2, 2*runBlocks*blockSize),
		decoders: make(chan struct{}, runtime.GOMAXPROCS(0)),
	}
	r.fetching = semaphore.NewWeighted(r.limit)
	if o.Dir != "" {
		r.disk = openDisk(o.Dir, o.DiskBytes, r.memory.pool)
		r.start(func() { r.disk.write(ctx) })
	}
	return r, nil
}

// Close ends what runs in the background and gives the memory back. Reads that run fail with ErrClosed.
func (r *Reader) Close() error {
	r.mu.Lock()
	r.closed = true
	r.mu.Unlock()
	r.cancel(ErrClosed)
	err := r.tasks.Wait()
	if r.disk != nil {
		r.disk.drain()
	}
	r.memory.clear()
	return err
}

// start runs fn in the background, unless the reader is closed.
func (r *Reader) start(fn func()) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		return false
	}
	r.tasks.Go(func() error { fn(); return nil })
	return true
}
