package cache

import (
	"fmt"
	"math/bits"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// pool hands out large buffers and takes them back. They are mapped, not on Go's heap: the collector would let the heap
// grow to twice what the cache holds before it ran. What is free is kept up to a limit, so that a stream of segments
// causes neither page faults nor system calls.
type pool struct {
	mu     sync.Mutex
	free   map[int][][]byte // by capacity
	spare  int64            // bytes in free
	keep   int64            // limit of spare
	mapped atomic.Int64     // bytes, handed out and spare
}

// smallBuffer is up to which size buffers are left to the collector.
const smallBuffer = 64 << 10

func newPool(keep int64) *pool { return &pool{free: make(map[int][][]byte), keep: keep} }

// class is the capacity of buffers for n bytes: an eighth of n is wasted at most.
func class(n int) int {
	if n <= smallBuffer {
		return n
	}
	step := max(1<<(bits.Len(uint(n-1))-4), 4096)
	return (n + step - 1) / step * step
}

// get gives a buffer with room for n bytes and one reference. Its content is arbitrary.
func (p *pool) get(n int) (*buffer, error) {
	size := class(n)
	b := &buffer{pool: p}
	b.refs.Store(1)
	if size <= smallBuffer {
		b.bytes = make([]byte, size)
		return b, nil
	}
	if b.bytes = p.take(size); b.bytes != nil {
		return b, nil
	}
	m, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("get %d bytes of memory: %w", size, err)
	}
	p.mapped.Add(int64(size))
	b.bytes = m
	return b, nil
}

func (p *pool) take(size int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := p.free[size]
	if len(list) == 0 {
		return nil
	}
	b := list[len(list)-1]
	p.free[size] = list[:len(list)-1]
	p.spare -= int64(size)
	return b
}

// put takes a buffer back. If too much is spare, buffers of other sizes go first: what was used last is asked for next.
func (p *pool) put(b []byte) {
	if len(b) <= smallBuffer {
		return
	}
	var drop [][]byte
	p.mu.Lock()
	p.free[len(b)] = append(p.free[len(b)], b)
	p.spare += int64(len(b))
	for size, list := range p.free {
		for ; p.spare > p.keep && len(list) > 0 && (size != len(b) || len(p.free) == 1); list = list[1:] {
			drop = append(drop, list[0])
			p.spare -= int64(size)
		}
		if p.free[size] = list; len(list) == 0 {
			delete(p.free, size)
		}
	}
	p.mu.Unlock()
	for _, d := range drop {
		p.unmap(d)
	}
}

// trim unmaps what is spare.
func (p *pool) trim() {
	p.mu.Lock()
	free := p.free
	p.free, p.spare = make(map[int][][]byte), 0
	p.mu.Unlock()
	for _, list := range free {
		for _, b := range list {
			p.unmap(b)
		}
	}
}

func (p *pool) unmap(b []byte) {
	p.mapped.Add(-int64(len(b)))
	if err := unix.Munmap(b); err != nil {
		panic(fmt.Sprintf("cache: unmap %d bytes that are ours: %v", len(b), err))
	}
}

// buffer is memory with references. Who holds none must not touch its bytes.
type buffer struct {
	bytes []byte
	refs  atomic.Int32
	pool  *pool
}

func (b *buffer) retain() { b.refs.Add(1) }

func (b *buffer) release() {
	switch n := b.refs.Add(-1); {
	case n == 0:
		b.pool.put(b.bytes)
		b.bytes = nil
	case n < 0:
		panic("cache: a buffer was released twice")
	}
}
