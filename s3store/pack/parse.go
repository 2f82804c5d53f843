package pack

import (
	"encoding/binary"
	"fmt"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/seal"
)

// parser takes integers off the raw form of a directory. The first fault sticks.
type parser struct {
	rest []byte
	bad  string
}

func (p *parser) fail(what string) {
	if p.bad == "" {
		p.bad = what
	}
}

// uint is the next unsigned integer, at most limit.
func (p *parser) uint(what string, limit int64) int64 {
	n, used := binary.Uvarint(p.rest)
	if used <= 0 || n > uint64(limit) {
		p.fail(what)
		return 0
	}
	p.rest = p.rest[used:]
	return int64(n)
}

// near is the next integer, told as the difference to base; it is in 0…limit.
func (p *parser) near(what string, base, limit int64) int64 {
	d, used := binary.Varint(p.rest)
	if used <= 0 || d < -base || d > limit-base {
		p.fail(what)
		return 0
	}
	p.rest = p.rest[used:]
	return base + d
}

// id is the next ID of a scan, told as the difference to the counter before.
func (p *parser) id(what string, scan, before int64) catalog.ID {
	counter := p.near(what, before, catalog.MaxCounter)
	if counter == 0 {
		p.fail(what)
		return 0
	}
	return catalog.NewID(scan, counter)
}

func (p *parser) err() error {
	if p.bad != "" {
		return fmt.Errorf("%w: the directory's %s", seal.ErrDamaged, p.bad)
	}
	return nil
}

// parseDirectory reads the raw form. The segments must fill the pack from its header to start, where the directory is.
func parseDirectory(raw []byte, key catalog.PackID, size, start int64) (*Directory, error) {
	p := &parser{rest: raw}
	scan := p.uint("scan", catalog.MaxScan)
	counter := p.uint("pack", catalog.MaxCounter)
	segments := p.uint("number of segments", int64(len(p.rest)/minSegmentBytes))
	chunks := p.uint("number of chunks", int64(len(p.rest)/minChunkBytes))
	if err := p.err(); err != nil {
		return nil, err
	}
	if counter == 0 {
		return nil, fmt.Errorf("%w: the directory's pack has no ID", seal.ErrDamaged)
	}
	d := &Directory{Pack: catalog.Pack{ID: catalog.NewID(scan, counter), Key: key, Size: size}}
	perSegment := p.segments(d, int(segments), chunks, start)
	if err := p.err(); err != nil {
		return nil, err
	}
	p.chunks(d, perSegment, int(chunks))
	return d, p.err()
}

// segments reads the rows of the segments, and returns how many chunks each has.
func (p *parser) segments(d *Directory, count int, chunks, start int64) []int {
	d.Segments = make([]catalog.Segment, count)
	perSegment := make([]int, count)
	scan, counter, number, offset := d.Pack.ID.Scan(), d.Pack.ID.Counter(), int64(-1), int64(len(header))
	for i := range d.Segments {
		s := catalog.Segment{ID: p.id("segment", scan, counter), Pack: d.Pack.ID, Offset: offset}
		number = p.near("number of a segment", number+1, 1<<32-1)
		s.Number = uint32(number)
		s.Stored = uint32(p.uint("stored size of a segment", start-offset))
		s.Length = uint32(p.uint("size of a segment", catalog.MaxSegment))
		perSegment[i] = int(p.uint("chunks of a segment", chunks))
		if s.Stored == 0 || s.Length == 0 {
			p.fail("empty segment")
		}
		if p.bad != "" {
			return nil
		}
		d.Segments[i] = s
		counter, offset, chunks = s.ID.Counter(), offset+int64(s.Stored), chunks-int64(perSegment[i])
	}
	if offset != start || chunks != 0 {
		p.fail("segments do not fill the pack, or do not have all chunks")
	}
	return perSegment
}

// chunks reads the rows of the chunks and their hashes, which must be all that is left.
func (p *parser) chunks(d *Directory, perSegment []int, count int) {
	d.Chunks = make([]catalog.Chunk, 0, count)
	scan, counter := d.Pack.ID.Scan(), d.Pack.ID.Counter()
	for i, n := range perSegment {
		segment, end := &d.Segments[i], int64(0)
		for ; n > 0 && p.bad == ""; n-- {
			c := catalog.Chunk{ID: p.id("chunk", scan, counter), Segment: segment.ID}
			offset := p.near("offset of a chunk", end, int64(segment.Length))
			length := p.uint("size of a chunk", min(catalog.MaxChunk, int64(segment.Length)-offset))
			if length == 0 {
				p.fail("empty chunk")
			}
			c.Offset, c.Length = uint32(offset), uint32(length)
			counter, end = c.ID.Counter(), offset+length
			d.Chunks = append(d.Chunks, c)
		}
	}
	if p.bad == "" && len(p.rest) != count*len(catalog.Hash{}) {
		p.fail("hashes are not as many as the chunks")
	}
	for i := range d.Chunks {
		if p.bad != "" {
			return
		}
		p.rest = p.rest[copy(d.Chunks[i].Hash[:], p.rest):]
	}
}
