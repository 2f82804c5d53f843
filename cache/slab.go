package cache

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// slabSize is how much memory is mapped at once: room for several runs of blocks beside each other.
const slabSize = 32 << 20

// grain is what sizes within a slab are rounded up to.
const grain = 4096

// extent is a free part of a slab.
type extent struct{ off, size int }

// slab is a stretch of mapped memory that is handed out in parts.
type slab struct {
	bytes []byte
	free  []extent // by offset, never adjacent
}

// newSlab maps a slab. Huge pages, where the kernel has them, save most page faults, each of which clears its page.
func newSlab(size int) (*slab, error) {
	m, err := mapMemory(size)
	if err != nil {
		return nil, err
	}
	_ = unix.Madvise(m, unix.MADV_HUGEPAGE) // small pages do as well
	return &slab{bytes: m, free: []extent{{0, size}}}, nil
}

func mapMemory(size int) ([]byte, error) {
	m, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("get %d bytes of memory: %w", size, err)
	}
	return m, nil
}

func unmapMemory(m []byte) {
	if err := unix.Munmap(m); err != nil {
		panic(fmt.Sprintf("cache: unmap %d bytes that are ours: %v", len(m), err))
	}
}

// take gives the first free part of size bytes, or -1.
func (s *slab) take(size int) (off int) {
	for i := range s.free {
		e := &s.free[i]
		if e.size < size {
			continue
		}
		off = e.off
		if e.off, e.size = e.off+size, e.size-size; e.size == 0 {
			s.free = slices.Delete(s.free, i, i+1)
		}
		return off
	}
	return -1
}

// put takes a part back, and joins it with its free neighbours.
func (s *slab) put(off, size int) {
	i, _ := slices.BinarySearchFunc(s.free, off, func(e extent, off int) int { return e.off - off })
	before := i > 0 && s.free[i-1].off+s.free[i-1].size == off
	after := i < len(s.free) && off+size == s.free[i].off
	switch {
	case before && after:
		s.free[i-1].size += size + s.free[i].size
		s.free = slices.Delete(s.free, i, i+1)
	case before:
		s.free[i-1].size += size
	case after:
		s.free[i].off, s.free[i].size = off, s.free[i].size+size
	default:
		s.free = slices.Insert(s.free, i, extent{off, size})
	}
}

// empty tells whether nothing of the slab is handed out.
func (s *slab) empty() bool { return len(s.free) == 1 && s.free[0].size == len(s.bytes) }
