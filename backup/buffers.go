package backup

import (
	"context"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

// buffers are the large pieces of memory of a run, used again and again. How many there are at once is bounded by the
// channels between the stages, for packs by the number of buffers.
type buffers struct {
	blocks  chan []byte // of plaintext, empty, with room for a parcel or a block
	sealed  chan []byte
	packs   chan []byte
	mapped  mappings
	rows    chan *catalog.Batch
	batches chan *catalog.Batch
	block   int
}

func newBuffers(s sizes) (*buffers, error) {
	b := &buffers{
		blocks: make(chan []byte, 64), sealed: make(chan []byte, 16), packs: make(chan []byte, packBuffers),
		rows: make(chan *catalog.Batch, s.groups+2), batches: make(chan *catalog.Batch, 3),
		block: max(s.block, parcelBytes+parcelSlack),
	}
	for range packBuffers {
		buf, err := b.mapped.add(s.buffer)
		if err != nil {
			b.free()
			return nil, err
		}
		b.packs <- buf
	}
	return b, nil
}

// free gives all buffers back. No stage may run any more.
func (b *buffers) free() { b.mapped.free() }

// mappings is memory outside of the heap: there, the collector would let as much again go to waste.
type mappings struct {
	mu  sync.Mutex
	all [][]byte
}

// add is an empty buffer of that capacity. What is not used of it takes no memory.
func (m *mappings) add(size int) ([]byte, error) {
	buf, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil {
		return nil, fmt.Errorf("take %d bytes of memory: %w", size, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, buf)
	return buf[:0:size], nil
}

func (m *mappings) free() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, buf := range m.all {
		_ = unix.Munmap(buf) // it was mapped
	}
	m.all = nil
}

// takeBlock is an empty buffer for plaintext.
func (b *buffers) takeBlock() []byte { return b.take(b.blocks, b.block) }

func (b *buffers) giveBlock(buf []byte) { give(b.blocks, buf, b.block) }

// takeSealed is an empty buffer for a sealed segment.
func (b *buffers) takeSealed() []byte { return b.take(b.sealed, b.block+sealedSlack) }

func (b *buffers) giveSealed(buf []byte) { give(b.sealed, buf, b.block+sealedSlack) }

// sealedSlack is by how much a sealed segment can be longer than its plaintext, or need more on the way, bytes.
const sealedSlack = 64 << 10

// take is a buffer out of a pool, or a new one. How many there are is bounded by who holds them: see budget.go.
func (b *buffers) take(pool <-chan []byte, size int) []byte {
	select {
	case buf := <-pool:
		return buf[:0]
	default:
	}
	buf, err := b.mapped.add(size)
	if err != nil {
		return make([]byte, 0, size)
	}
	return buf
}

// give puts a buffer back into its pool, unless it has grown out of it.
func give(pool chan<- []byte, buf []byte, size int) {
	if cap(buf) != size {
		return
	}
	select {
	case pool <- buf:
	default:
	}
}

// takePack is a buffer for a pack, when one is free.
func (b *buffers) takePack(ctx context.Context) ([]byte, error) {
	select {
	case buf := <-b.packs:
		return buf, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// givePack gives the buffer of a pack back, and its memory to the system until it is filled again: as a rule, the store is
// quick enough for fewer than all of them.
func (b *buffers) givePack(buf []byte) {
	_ = unix.Madvise(buf[:cap(buf)], unix.MADV_DONTNEED) // it only saves memory
	b.packs <- buf[:0]
}

// takeBatch is an empty batch, with room for rows.
func (b *buffers) takeBatch() *catalog.Batch {
	return takeRows(b.batches)
}

func takeRows(free <-chan *catalog.Batch) *catalog.Batch {
	select {
	case batch := <-free:
		*batch = catalog.Batch{
			Packs: batch.Packs[:0], Segments: batch.Segments[:0], Chunks: batch.Chunks[:0], Pieces: batch.Pieces[:0],
			Values: batch.Values[:0], Opened: batch.Opened[:0], Closed: batch.Closed[:0], Problems: batch.Problems[:0],
		}
		return batch
	default:
		return new(catalog.Batch)
	}
}

func (b *buffers) giveBatch(batch *catalog.Batch) { giveRows(b.batches, batch) }

func giveRows(free chan<- *catalog.Batch, batch *catalog.Batch) {
	clear(batch.Opened) // names and targets must not be kept
	clear(batch.Values)
	clear(batch.Problems)
	select {
	case free <- batch:
	default:
	}
}
