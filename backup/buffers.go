package backup

import (
	"context"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

// buffers are the large pieces of memory of a run, used again and again. How many there are at once is bounded by the
// channels between the stages, for packs by the number of buffers.
type buffers struct {
	blocks  *shelf // of plaintext, empty, with room for a parcel or a block
	sealed  *shelf
	packs   *shelf
	full    chan struct{} // one for each pack's buffer that is in use
	given   chan struct{} // has one when a pack's buffer was given back
	mapped  *mappings
	rows    chan *catalog.Batch
	batches chan *catalog.Batch
}

func newBuffers(s sizes, mapped *mappings) *buffers {
	block := max(s.block, parcelBytes+parcelSlack)
	return &buffers{
		blocks: &shelf{mapped: mapped, size: block, kept: s.kept}, sealed: &shelf{mapped: mapped, size: block + sealedSlack, kept: s.kept + sealedSlack},
		packs: &shelf{mapped: mapped, size: s.buffer}, full: make(chan struct{}, packBuffers), given: make(chan struct{}, 1), mapped: mapped,
		rows: make(chan *catalog.Batch, s.groups+2), batches: make(chan *catalog.Batch, 1),
	}
}

// shelf is buffers of one size that nobody uses at the moment. How many there are is bounded by who holds them: see
// budget.go. What was put back last is taken first: it is in the processor's cache, and what is rarely needed is not touched.
type shelf struct {
	mapped *mappings
	size   int // bytes
	kept   int // bytes of a free one that stay in memory; what is behind them is given back to the system

	mu   sync.Mutex
	free [][]byte
}

// take is an empty buffer.
func (s *shelf) take() []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := len(s.free) - 1; last >= 0 {
		buf := s.free[last]
		s.free = s.free[:last]
		return buf
	}
	return s.mapped.buffer(s.size)[:0]
}

// give puts a buffer back, unless it has grown out of it.
func (s *shelf) give(buf []byte) {
	if cap(buf) != s.size {
		return
	}
	if s.kept < s.size {
		_ = unix.Madvise(buf[s.kept:s.size], unix.MADV_DONTNEED) // it only saves memory
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free = append(s.free, buf[:0])
}

// mappings is memory outside of the heap: there, the collector would let as much again go to waste.
type mappings struct {
	mu  sync.Mutex
	all [][]byte
}

// buffer is that many bytes. What is not used of them takes no memory.
func (m *mappings) buffer(size int) []byte {
	buf, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	if err != nil { // too many mappings; the heap may still have room
		return make([]byte, size)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, buf)
	return buf
}

// free gives all of it back to the system. Nothing may use it any more.
func (m *mappings) free() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, buf := range m.all {
		_ = unix.Munmap(buf) // it was mapped
	}
	m.all = nil
}

// takeBlock is an empty buffer for plaintext.
func (b *buffers) takeBlock() []byte { return b.blocks.take() }

func (b *buffers) giveBlock(buf []byte) { b.blocks.give(buf) }

// takeSealed is an empty buffer for a sealed segment.
func (b *buffers) takeSealed() []byte { return b.sealed.take() }

func (b *buffers) giveSealed(buf []byte) { b.sealed.give(buf) }

// sealedSlack is by how much a sealed segment can be longer than its plaintext, or need more on the way, bytes.
const sealedSlack = 64 << 10

// takePack is a buffer for a pack, when one is free. The last one is not used while memory is crowded: then there is one
// upload less at once.
func (b *buffers) takePack(ctx context.Context) ([]byte, error) {
	select {
	case b.full <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	for len(b.full) == cap(b.full) && cap(b.full) > 1 && crowded() {
		select {
		case <-b.given:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return b.packs.take(), nil
}

// crowded tells whether the process takes so much memory now that it should do with less. See proc_pid_statm(5).
func crowded() bool {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return false
	}
	var size, resident int64 // pages
	_, err = fmt.Sscan(string(statm), &size, &resident)
	return err == nil && resident*int64(os.Getpagesize()) > crowdedBytes
}

// givePack gives the buffer of a pack back, and its memory to the system: packs take memory only for what is in them, and
// a store that is quick needs little of it.
func (b *buffers) givePack(buf []byte) {
	b.packs.give(buf)
	<-b.full
	select {
	case b.given <- struct{}{}:
	default: // nobody waits
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
