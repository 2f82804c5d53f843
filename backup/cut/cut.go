// Package cut cuts the data of an open file into chunks: at places that depend on the data and on a key, or at fixed
// distances. Holes are not read and are in no chunk.
package cut

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/bus3/bus3/catalog"
)

// ErrShrunk: the file ended before the size that was told. What it still had was emitted.
var ErrShrunk = errors.New("it became shorter while it was read")

// The sizes of chunks where a repository names no others. With them the mean chunk of random data has about 600 KiB.
const (
	DefaultMin    = 256 << 10
	DefaultNormal = 512 << 10
	DefaultMax    = 2 << 20
)

// Holes smaller than minHole are read as the zeros that they are once a file has shown manyHoles others: a chunk has its
// price, and files that are full of tiny holes would pay it for each.
const (
	minHole   = 64 << 10
	manyHoles = 256
)

// File is what is cut. ReadAt and NextExtent are as those of source.File.
type File interface {
	io.ReaderAt
	// NextExtent is the next stretch of data at off or behind it, io.EOF if there is none.
	NextExtent(off int64) (start, end int64, err error)
}

// Emit takes a chunk: where it is in the file, its bytes, which are the cutter's again when Emit returns, and their hash.
type Emit func(off int64, plain []byte, hash catalog.Hash) error

// Params say how a repository cuts. All sizes are bytes.
type Params struct {
	Min, Normal, Max int // of content-defined chunks; all 0: the defaults
	Fixed            int // if not 0, chunks begin at the multiples of it instead
	Key              [32]byte
	Hash             func(plain []byte) catalog.Hash
	Buffer           func(size int) []byte // where a Cutter takes its buffers from, which it keeps; nil: the heap
}

func (p *Params) check() error {
	switch {
	case p.Hash == nil:
		return errors.New("cut: no hash function")
	case p.Fixed < 0 || p.Fixed > catalog.MaxChunk:
		return fmt.Errorf("cut: chunks of %d bytes", p.Fixed)
	case p.Fixed > 0:
		return nil
	case p.Min < 64 || p.Min >= p.Normal || p.Normal >= p.Max || p.Max > catalog.MaxChunk || p.Normal&(p.Normal-1) != 0:
		return fmt.Errorf("cut: chunks of %d, %d and %d bytes", p.Min, p.Normal, p.Max)
	}
	return nil
}

// Cutter cuts files. It is safe for concurrent use; each Cut under way holds buffers of about 2 × Max, or of Fixed.
type Cutter struct {
	params Params
	gear   *gear // nil if chunks are Fixed

	mu    sync.Mutex
	small []*scratch // free ones for little data; what was used last is last
	large []*scratch
}

// New makes a cutter.
func New(p Params) (*Cutter, error) {
	if p.Min == 0 && p.Normal == 0 && p.Max == 0 {
		p.Min, p.Normal, p.Max = DefaultMin, DefaultNormal, DefaultMax
	}
	if err := p.check(); err != nil {
		return nil, err
	}
	if p.Buffer == nil {
		p.Buffer = func(size int) []byte { return make([]byte, size) }
	}
	c := &Cutter{params: p}
	if p.Fixed == 0 {
		var err error
		if c.gear, err = newGear(&p); err != nil {
			return nil, fmt.Errorf("cut: %w", err)
		}
	}
	return c, nil
}

// Cut reads the first size bytes of f and emits all chunks in the order of their offsets. A file that is not larger than the
// smallest chunk is one. ErrShrunk tells that f had less than size bytes; errors of f and of emit are returned as they are.
func (c *Cutter) Cut(ctx context.Context, f File, size int64, emit Emit) error {
	idle := &c.large
	if size <= readBytes {
		idle = &c.small
	}
	s := c.take(idle)
	defer c.give(idle, s)
	j := job{params: &c.params, scratch: s, gear: c.gear, file: f, emit: emit}
	e := extents{file: f, size: size}
	for {
		start, end, err := e.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err == nil {
			err = j.stretch(ctx, start, end)
		}
		if err != nil {
			return err
		}
	}
}

// take is a scratch out of idle, or a new one. Files of which little is read have their own: all memory that was ever
// used of a buffer stays, and there are few large files at once.
func (c *Cutter) take(idle *[]*scratch) *scratch {
	c.mu.Lock()
	defer c.mu.Unlock()
	last := len(*idle) - 1
	if last < 0 {
		return &scratch{}
	}
	s := (*idle)[last]
	*idle = (*idle)[:last]
	return s
}

func (c *Cutter) give(idle *[]*scratch, s *scratch) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*idle = append(*idle, s)
}

// extents goes through the stretches of data of a file, without the holes that do not count.
type extents struct {
	file     File
	size     int64
	off      int64 // looked at up to here
	holes    int
	nextFrom int64 // the extent that is known already, [nextFrom, nextTo), if nextTo is not 0
	nextTo   int64
}

func (e *extents) next() (start, end int64, err error) {
	if start, end, err = e.one(); err != nil {
		return 0, 0, err
	}
	for {
		from, to, err := e.one()
		if errors.Is(err, io.EOF) {
			return start, end, nil
		}
		if err != nil {
			return 0, 0, err
		}
		if from > end && (from-end >= minHole || e.holes < manyHoles) {
			e.holes++
			e.nextFrom, e.nextTo = from, to
			return start, end, nil
		}
		end = to
	}
}

func (e *extents) one() (start, end int64, err error) {
	if e.nextTo != 0 {
		start, end, e.nextTo = e.nextFrom, e.nextTo, 0
		return start, end, nil
	}
	if e.off >= e.size {
		return 0, 0, io.EOF
	}
	start, end, err = e.file.NextExtent(e.off)
	if err != nil {
		return 0, 0, err
	}
	if start < e.off || end <= start {
		return 0, 0, fmt.Errorf("cut: the extent behind %d is %d to %d", e.off, start, end)
	}
	end = min(end, e.size)
	e.off = end
	if start >= e.size {
		return 0, 0, io.EOF
	}
	return start, end, nil
}
