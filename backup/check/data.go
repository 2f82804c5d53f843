package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/s3store/seal"
)

// readers is how many packs are read and verified at a time: one is fetched while the other is opened. Each holds a
// pack (32 MiB as a rule) in memory.
const readers = 2

// due is a pack to be read.
type due struct {
	pack     catalog.Pack
	verified int64 // ns since 1970, 0 never
}

// data reads packs and verifies what is in them.
func (c *checker) data(ctx context.Context) error {
	if !c.o.ReadData {
		return nil
	}
	packs, total, err := c.duePacks(ctx)
	if err != nil {
		return err
	}
	results := make(chan *verdict)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(results)
		var workers errgroup.Group
		workers.SetLimit(readers)
		for i := range packs {
			workers.Go(func() error {
				v := c.verify(ctx, packs[i].pack)
				select {
				case results <- v:
					return v.err
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			if ctx.Err() != nil {
				break
			}
		}
		return workers.Wait()
	})
	group.Go(func() error {
		for v := range results {
			if err := c.judge(ctx, v, total); err != nil {
				return err
			}
		}
		return nil
	})
	return group.Wait()
}

// duePacks are the packs to be read, those first that were not verified for the longest time.
func (c *checker) duePacks(ctx context.Context) (packs []due, bytes int64, err error) {
	var all int64
	err = c.cat.EachPack(ctx, func(p *catalog.Pack, verified int64) error {
		packs = append(packs, due{*p, verified})
		all += p.Size
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	slices.SortStableFunc(packs, func(a, b due) int { return int(min(1, max(-1, a.verified-b.verified))) })
	limit := all
	if c.o.Fraction > 0 {
		limit = min(limit, int64(float64(all)*c.o.Fraction))
	}
	if c.o.Bytes > 0 {
		limit = min(limit, c.o.Bytes)
	}
	for i := range packs {
		if bytes >= limit {
			return packs[:i], bytes, nil
		}
		bytes += packs[i].pack.Size
	}
	return packs, bytes, nil
}

// verdict is what verifying a pack brought to light.
type verdict struct {
	pack   catalog.Pack
	bad    []catalog.ID // chunks that cannot be read as they were
	reason string       // why, of the first fault; "" if there is none
	gone   bool         // the object is missing, which the listing has reported
	err    error        // of the check itself
}

func (v *verdict) fail(reason string, chunks ...catalog.ID) {
	if v.reason == "" {
		v.reason = reason
	}
	v.bad = append(v.bad, chunks...)
}

// verify reads a pack whole, and opens all that the catalog and its own directory say is in it.
func (c *checker) verify(ctx context.Context, p catalog.Pack) *verdict {
	v := &verdict{pack: p}
	body := make([]byte, p.Size)
	_, err := c.store.GetRange(ctx, pack.Key(p.Key), 0, body)
	switch {
	case errors.Is(err, s3store.ErrNotExist):
		v.gone = true
		return v
	case errors.Is(err, io.ErrUnexpectedEOF):
		v.fail("is shorter than it should be")
	case err != nil:
		v.err = err
		return v
	}
	segments := map[catalog.ID]*segment{}
	v.err = c.cat.EachPlace(ctx, p.ID, func(place *catalog.Place) error {
		s := segments[place.Segment.ID]
		if s == nil {
			s = &segment{row: place.Segment}
			segments[place.Segment.ID] = s
		}
		s.chunks = append(s.chunks, catalog.Chunk{ID: place.Chunk, Hash: place.Hash, Segment: place.Segment.ID, Offset: place.Offset, Length: place.Length})
		return nil
	})
	if v.err != nil {
		return v
	}
	box := pack.SegmentBox(c.repo.Keys(), p.Key)
	var plain []byte
	for _, s := range segments {
		if ctx.Err() != nil {
			v.err = ctx.Err()
			return v
		}
		plain = s.verify(c.repo.Keys(), box, body, plain[:0], v)
	}
	c.verifyDirectory(v, body, segments)
	return v
}

// segment is a segment of a pack with the chunks that the catalog has in it.
type segment struct {
	row    catalog.Segment
	chunks []catalog.Chunk
}

func (s *segment) verify(keys *seal.Keys, box *seal.Box, body, plain []byte, v *verdict) []byte {
	all := make([]catalog.ID, len(s.chunks))
	for i := range s.chunks {
		all[i] = s.chunks[i].ID
	}
	r := &s.row
	if r.Offset < 0 || r.Offset+int64(r.Stored) > int64(len(body)) {
		v.fail(fmt.Sprintf("has no segment %d: it is too short", r.Number), all...)
		return plain
	}
	plain, err := pack.OpenSegment(plain, box, r.Number, body[r.Offset:r.Offset+int64(r.Stored)], r.Length)
	if err != nil {
		v.fail(fmt.Sprintf("is damaged in segment %d", r.Number), all...)
		return plain
	}
	for i := range s.chunks {
		h := &s.chunks[i]
		if uint64(h.Offset)+uint64(h.Length) > uint64(len(plain)) || keys.HashChunk(plain[h.Offset:h.Offset+h.Length]) != h.Hash {
			v.fail(fmt.Sprintf("holds other bytes than it should for chunk %s", h.ID), h.ID)
		}
	}
	return plain
}

// verifyDirectory holds the pack's own directory to the catalog's rows. It is needed only where the journal is lost, so that
// damage in it touches no file.
func (c *checker) verifyDirectory(v *verdict, body []byte, segments map[catalog.ID]*segment) {
	dir, err := pack.ReadDirectory(c.repo.Keys(), v.pack.Key, int64(len(body)), func(off int64, dst []byte) error {
		copy(dst, body[off:])
		return nil
	})
	if err != nil {
		v.fail("has a damaged directory, which a rebuild needs where journal objects are lost; its data are not touched")
		return
	}
	for i := range dir.Segments {
		d := dir.Segments[i]
		if s := segments[d.ID]; s != nil && v.pack.ID == dir.Pack.ID {
			if d.Pack = s.row.Pack; d != s.row {
				v.fail(fmt.Sprintf("and the catalog differ about segment %d", d.Number))
			}
		}
	}
	if !pack.HasHeader(body) {
		v.fail("has a damaged header; its data are not touched")
	}
}

// judge reports what was found of a pack, and has the catalog remember those that are sound.
func (c *checker) judge(ctx context.Context, v *verdict, total int64) error {
	if v.err != nil {
		return v.err
	}
	if v.gone {
		return nil
	}
	c.report.PacksRead++
	c.report.BytesRead += v.pack.Size
	if c.o.Progress != nil {
		c.o.Progress(c.report.BytesRead, total)
	}
	if v.reason != "" {
		return c.damaged(ctx, PackDamaged, v.pack.Key, v.pack.ID, v.reason, v.bad)
	}
	err := c.cat.MarkVerified(ctx, []catalog.ID{v.pack.ID}, time.Now().UnixNano())
	if errors.Is(err, catalog.ErrReadOnly) {
		return nil // a replica or a reader's account: the check holds, it is only not remembered
	}
	return err
}
