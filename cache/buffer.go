package cache

import (
	"sync"
	"sync/atomic"
)

// pool hands out large buffers and takes them back. They are mapped, not on Go's heap: the collector would let the heap
// grow to twice what the cache holds before it ran. Memory that was given back is handed out again first, so that a
// stream of segments of whatever sizes causes neither page faults nor system calls.
type pool struct {
	mu     sync.Mutex
	slabs  []*slab      // the first ones are filled first, so that the last ones become empty
	mapped atomic.Int64 // bytes
}

// smallBuffer is up to which size buffers are left to the collector, and largeBuffer beyond which size they are mapped
// and unmapped one by one.
const (
	smallBuffer = 64 << 10
	largeBuffer = slabSize / 4
)

func newPool() *pool { return &pool{} }

// get gives a buffer with room for n bytes and one reference. Its content is arbitrary.
func (p *pool) get(n int) (*buffer, error) {
	b := &buffer{pool: p}
	b.refs.Store(1)
	if n <= smallBuffer {
		b.bytes = make([]byte, n)
		return b, nil
	}
	size := (n + grain - 1) / grain * grain
	if size <= largeBuffer {
		return b, p.part(b, size)
	}
	m, err := mapMemory(size)
	if err != nil {
		return nil, err
	}
	p.mapped.Add(int64(size))
	b.bytes = m
	return b, nil
}

// part gives b a part of a slab.
func (p *pool) part(b *buffer, size int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	off := -1
	for _, s := range p.slabs {
		if off = s.take(size); off >= 0 {
			b.slab = s
			break
		}
	}
	if off < 0 {
		s, err := newSlab(slabSize)
		if err != nil {
			return err
		}
		p.mapped.Add(slabSize)
		p.slabs = append(p.slabs, s)
		b.slab, off = s, s.take(size)
	}
	b.off = off
	b.bytes = b.slab.bytes[off : off+size : off+size]
	return nil
}

// put takes a buffer back. One empty slab is kept for what comes next.
func (p *pool) put(b *buffer) {
	switch {
	case b.slab != nil:
		p.mu.Lock()
		b.slab.put(b.off, len(b.bytes))
		if b.slab.empty() {
			p.drop(1)
		}
		p.mu.Unlock()
	case len(b.bytes) > smallBuffer:
		p.mapped.Add(-int64(len(b.bytes)))
		unmapMemory(b.bytes)
	}
	b.bytes, b.slab = nil, nil
}

// trim unmaps what is not handed out, as far as whole slabs are.
func (p *pool) trim() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(0)
}

// drop, under mu, unmaps all empty slabs but the first few.
func (p *pool) drop(keep int) {
	left := p.slabs[:0]
	for _, s := range p.slabs {
		if !s.empty() {
			left = append(left, s)
		} else if keep > 0 {
			keep--
			left = append(left, s)
		} else {
			p.mapped.Add(-int64(len(s.bytes)))
			unmapMemory(s.bytes)
		}
	}
	clear(p.slabs[len(left):])
	p.slabs = left
}

// buffer is memory with references. Who holds none must not touch its bytes.
type buffer struct {
	bytes []byte
	refs  atomic.Int32
	pool  *pool
	slab  *slab // nil: it is no part of one
	off   int   // in slab
}

func (b *buffer) retain() { b.refs.Add(1) }

func (b *buffer) release() {
	switch n := b.refs.Add(-1); {
	case n == 0:
		b.pool.put(b)
	case n < 0:
		panic("cache: a buffer was released twice")
	}
}
