package backup

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

// buffers are the large pieces of memory of a run, used again and again. How many there are at once is bounded by the
// channels between the stages, for packs by the number of buffers.
type buffers struct {
	blocks  chan []byte // of plaintext, empty, with room for a parcel or a block
	sealed  chan []byte
	packs   chan []byte
	mapped  [][]byte // those of packs: outside of the heap, which would keep as much again for the collector
	rows    chan *catalog.Batch
	batches chan *catalog.Batch
	block   int
}

func newBuffers(s sizes) (*buffers, error) {
	b := &buffers{
		blocks: make(chan []byte, 2*s.parcels), sealed: make(chan []byte, s.groups+2), packs: make(chan []byte, packBuffers),
		rows: make(chan *catalog.Batch, s.groups+2), batches: make(chan *catalog.Batch, 3),
		block: max(s.block, parcelBytes+parcelSlack),
	}
	for range packBuffers {
		buf, err := unix.Mmap(-1, 0, s.buffer, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
		if err != nil {
			b.free()
			return nil, fmt.Errorf("take memory for packs: %w", err)
		}
		b.mapped = append(b.mapped, buf)
		b.packs <- buf[:0]
	}
	return b, nil
}

// free gives back the buffers of packs. No stage may run any more.
func (b *buffers) free() {
	for _, buf := range b.mapped {
		_ = unix.Munmap(buf) // it was mapped
	}
	b.mapped = nil
}

// takeBlock is an empty buffer for plaintext.
func (b *buffers) takeBlock() []byte {
	select {
	case buf := <-b.blocks:
		return buf[:0]
	default:
		return make([]byte, 0, b.block)
	}
}

func (b *buffers) giveBlock(buf []byte) {
	if cap(buf) < b.block {
		return
	}
	select {
	case b.blocks <- buf:
	default:
	}
}

// takeSealed is an empty buffer for a sealed segment.
func (b *buffers) takeSealed() []byte {
	select {
	case buf := <-b.sealed:
		return buf[:0]
	default:
		return make([]byte, 0, b.block+4096)
	}
}

func (b *buffers) giveSealed(buf []byte) {
	select {
	case b.sealed <- buf:
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
