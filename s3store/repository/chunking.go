package repository

import (
	"errors"
	"fmt"

	"github.com/bus3/bus3/catalog"
)

// Chunking says how files are cut into chunks, bytes. It is chosen at init, and for ever: files cut in another way
// share no chunk. The zero value is DefaultChunking.
type Chunking struct {
	Min, Normal, Max int // content-defined: FastCDC, keyed; Normal is a power of two
	Fixed            int // if not 0: all chunks have this size, but the last of a file
}

// DefaultChunking has a mean of about 608 KiB on random data; a change in a file costs 2 or 3 chunks. Files up to the
// minimum are one chunk.
func DefaultChunking() Chunking { return Chunking{Min: 256 << 10, Normal: 512 << 10, Max: 2 << 20} }

// minChunking is the smallest size that can be asked for: FastCDC needs 64 bytes, the catalog rows that are worth it.
const minChunking = 4 << 10

// ErrChunking: chunks cannot be cut so.
var ErrChunking = errors.New("impossible sizes of chunks")

func (c Chunking) orDefault() Chunking {
	if c == (Chunking{}) {
		return DefaultChunking()
	}
	return c
}

// Check tells what makes c impossible, if anything.
func (c Chunking) Check() error {
	if c.Fixed != 0 {
		if c.Fixed < minChunking || c.Fixed > catalog.MaxChunk || c.Min != 0 || c.Normal != 0 || c.Max != 0 {
			return fmt.Errorf("%w: fixed size %d, limits are %d and %d", ErrChunking, c.Fixed, minChunking, catalog.MaxChunk)
		}
		return nil
	}
	if c.Normal&(c.Normal-1) != 0 {
		return fmt.Errorf("%w: the normal size, %d, must be a power of two", ErrChunking, c.Normal)
	}
	if c.Min < minChunking || c.Normal <= c.Min || c.Max <= c.Normal || c.Max > catalog.MaxChunk {
		return fmt.Errorf("%w: minimum %d, normal %d, maximum %d must ascend, between %d and %d",
			ErrChunking, c.Min, c.Normal, c.Max, minChunking, catalog.MaxChunk)
	}
	return nil
}
