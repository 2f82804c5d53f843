package check

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/s3store/seal"
)

// part is a segment of a pack, as the catalog or the pack's own directory tells of it, with its chunks.
type part struct {
	catalog.Segment
	chunks []catalog.Chunk
	own    bool // the directory tells of it
}

// contents opens every segment of a pack and compares every chunk with its hash.
func (c *checker) contents(ctx context.Context, r *reader, v *verdict, body []byte) error {
	parts, err := c.knownParts(ctx, v.rows)
	if err != nil {
		return fmt.Errorf("what is in pack %s: %w", v.rows[0].key, err)
	}
	keys := c.repo.Keys()
	own, damage := ownParts(keys, v.rows[0].key, body)
	parts = append(parts, own...)
	// Rows of one segment follow each other, so that it is opened once.
	slices.SortStableFunc(parts, func(a, b part) int { return cmp.Compare(a.Number, b.Number) })
	box := pack.SegmentBox(keys, v.rows[0].key)
	var opened *catalog.Segment
	for i := range parts {
		if err := ctx.Err(); err != nil {
			return err
		}
		p := &parts[i]
		if opened == nil || !sameSegment(opened, &p.Segment) {
			if opened = nil; open(r, box, body, &p.Segment) {
				opened = &p.Segment
			}
		}
		p.judge(v, keys, opened != nil, r.plain)
	}
	// What follows touches no file: readers need neither.
	if damage != nil {
		v.fail("has a damaged directory, which a rebuild needs where journal objects are lost; its data can be read")
	}
	if !pack.HasHeader(body) {
		v.fail("has a damaged header; its data can be read")
	}
	return nil
}

// judge compares the chunks of a segment with its plaintext.
func (p *part) judge(v *verdict, keys *seal.Keys, opened bool, plain []byte) {
	var bad []catalog.ID
	for i := range p.chunks {
		h := &p.chunks[i]
		if !opened || uint64(h.Offset)+uint64(h.Length) > uint64(len(plain)) || keys.HashChunk(plain[h.Offset:h.Offset+h.Length]) != h.Hash {
			bad = append(bad, h.ID)
		}
	}
	switch {
	case !opened && p.own: // the rows of the catalog tell which chunks those are
		v.fail(fmt.Sprintf("is damaged in segment %d", p.Number))
	case !opened:
		v.fail(fmt.Sprintf("is damaged in segment %d", p.Number), bad...)
	case len(bad) > 0 && p.own:
		v.fail(fmt.Sprintf("has a directory that tells other chunks than there are in segment %d", p.Number))
	case len(bad) > 0:
		v.fail(fmt.Sprintf("holds other bytes than the catalog says for chunk %s in segment %d", bad[0], p.Number), bad...)
	}
}

// open opens a segment into r.plain.
func open(r *reader, box *seal.Box, body []byte, s *catalog.Segment) bool {
	if s.Offset < 0 || s.Offset+int64(s.Stored) > int64(len(body)) {
		return false
	}
	var err error
	r.plain, err = pack.OpenSegment(r.plain[:0], box, s.Number, body[s.Offset:s.Offset+int64(s.Stored)], s.Length)
	return err == nil
}

func sameSegment(a, b *catalog.Segment) bool {
	return a.Number == b.Number && a.Offset == b.Offset && a.Stored == b.Stored && a.Length == b.Length
}

// knownParts are the segments of a pack that the catalog knows.
func (c *checker) knownParts(ctx context.Context, rows []row) (parts []part, err error) {
	for _, r := range rows {
		at := map[catalog.ID]int{}
		err = c.cat.EachPlace(ctx, r.id, func(p *catalog.Place) error {
			i, ok := at[p.Segment.ID]
			if !ok {
				i = len(parts)
				at[p.Segment.ID] = i
				parts = append(parts, part{Segment: p.Segment})
			}
			parts[i].chunks = append(parts[i].chunks, catalog.Chunk{ID: p.Chunk, Hash: p.Hash, Segment: p.Segment.ID, Offset: p.Offset, Length: p.Length})
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return parts, nil
}

// ownParts are the segments that a pack's own directory tells of.
func ownParts(keys *seal.Keys, key catalog.PackID, body []byte) ([]part, error) {
	dir, err := pack.ReadDirectory(keys, key, int64(len(body)), func(off int64, dst []byte) error {
		copy(dst, body[off:])
		return nil
	})
	if err != nil {
		return nil, err
	}
	at := make(map[catalog.ID]int, len(dir.Segments))
	parts := make([]part, len(dir.Segments))
	for i, s := range dir.Segments {
		parts[i], at[s.ID] = part{Segment: s, own: true}, i
	}
	for _, h := range dir.Chunks {
		if i, ok := at[h.Segment]; ok {
			parts[i].chunks = append(parts[i].chunks, h)
		}
	}
	return parts, nil
}
