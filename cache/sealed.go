package cache

import (
	"context"
	"fmt"

	"github.com/bus3/bus3/catalog"
)

// sealed is the encrypted bytes of one segment: a part of a block, of neighbouring blocks, or a copy of what lies in
// several.
type sealed struct {
	bytes  []byte
	blocks []*resident // referenced
	keys   []key
	parts  []int64 // bytes of the segment in each of blocks
	copied *buffer // nil if bytes are part of a block
}

// stepBlocks is how many blocks are asked for at once when a large segment is collected.
const stepBlocks = 2 * runBlocks

// sealed collects the encrypted bytes of a segment; the caller releases them.
func (r *Reader) sealed(ctx context.Context, p *catalog.Place) (*sealed, error) {
	first, last := blocksOf(p)
	off, stored := p.Segment.Offset, int64(p.Segment.Stored)
	s := &sealed{}
	if last-first >= stepBlocks {
		return s, r.collect(ctx, p, s, first, last)
	}
	if err := r.load(ctx, p, s, first, last); err != nil {
		return nil, err
	}
	start, _ := blockRange(first, p.Pack.Size)
	if s.neighbours() {
		whole := s.blocks[0].data
		s.bytes = whole[off-start : off-start+stored : off-start+stored]
		return s, nil
	}
	var err error
	if s.copied, err = r.memory.pool.get(int(stored)); err != nil {
		s.release()
		return nil, err
	}
	s.bytes = s.copied.bytes[:0]
	s.append(off - start)
	return s, nil
}

// load takes references to blocks, and makes sure that they have what they must have of the segment.
func (r *Reader) load(ctx context.Context, p *catalog.Place, s *sealed, first, last int64) error {
	blocks, err := r.blocks(ctx, &p.Pack, first, last)
	if err != nil {
		return err
	}
	s.blocks = blocks
	s.keys, s.parts = s.keys[:0], s.parts[:0]
	from, to := p.Segment.Offset, p.Segment.Offset+int64(p.Segment.Stored)
	for i, b := range blocks {
		off, end := blockRange(first+int64(i), p.Pack.Size)
		if need := min(end, to) - off; int64(len(b.data)) < need {
			s.release()
			return r.damage(p, 0, fmt.Sprintf("the object ends at %d, the segment at %d", off+int64(len(b.data)), to))
		}
		s.keys = append(s.keys, key{p.Pack.Key, block, uint32(first + int64(i))})
		s.parts = append(s.parts, min(end, to)-max(off, from))
	}
	return nil
}

// neighbours tells whether the blocks lie one after the other in one buffer.
func (s *sealed) neighbours() bool {
	at := len(s.blocks[0].data)
	for _, b := range s.blocks[1:] {
		whole := s.blocks[0].data[:cap(s.blocks[0].data)]
		if b.buf != s.blocks[0].buf || at >= len(whole) || &whole[at] != &b.data[0] {
			return false
		}
		at += len(b.data)
	}
	return true
}

// append copies the segment's parts of the blocks; skip is where it begins in the first.
func (s *sealed) append(skip int64) {
	for i, b := range s.blocks {
		s.bytes = append(s.bytes, b.data[skip:skip+s.parts[i]]...)
		skip = 0
	}
}

// collect copies a segment of many blocks a few blocks at a time, so that they need not be in memory together.
func (r *Reader) collect(ctx context.Context, p *catalog.Place, s *sealed, first, last int64) error {
	var err error
	if s.copied, err = r.memory.pool.get(int(p.Segment.Stored)); err != nil {
		return err
	}
	s.bytes = s.copied.bytes[:0]
	start, _ := blockRange(first, p.Pack.Size)
	skip := p.Segment.Offset - start
	for ; first <= last; first += stepBlocks {
		to := min(first+stepBlocks-1, last)
		part := &sealed{bytes: s.bytes}
		if err := r.load(ctx, p, part, first, to); err != nil {
			s.release()
			return err
		}
		part.append(skip)
		part.consumed(r.memory)
		s.bytes, skip = part.bytes, 0
		part.release()
	}
	return nil
}

// consumed tells memory that these parts of the blocks were decoded.
func (s *sealed) consumed(m *memory) {
	for i, b := range s.blocks {
		m.consumed(s.keys[i], b, s.parts[i])
	}
}

func (s *sealed) release() {
	releaseAll(s.blocks)
	s.blocks = nil
	if s.copied != nil {
		s.copied.release()
		s.copied = nil
	}
}
