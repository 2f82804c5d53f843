package check

import (
	"cmp"
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
)

// readers is how many packs are read and verified at a time: one is fetched while the other is opened. Each holds a
// pack (32 MiB as a rule) in memory.
const readers = 2

// data reads packs and verifies what is in them.
func (c *checker) data(ctx context.Context) error {
	if !c.o.ReadData {
		return nil
	}
	due, total := c.due()
	queue, results := make(chan []row), make(chan *verdict)
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(queue)
		for _, rows := range due {
			select {
			case queue <- rows:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	var workers errgroup.Group
	for range readers {
		workers.Go(func() error {
			var r reader
			for rows := range queue {
				select {
				case results <- c.verify(ctx, &r, rows):
				case <-ctx.Done():
					return ctx.Err()
				}
			}
			return nil
		})
	}
	group.Go(func() error {
		defer close(results)
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

// due are the packs to be read, those first that were not verified for the longest time. What the listing has shown to be
// broken is not read.
func (c *checker) due() (packs [][]row, total int64) {
	var all int64
	for rows := range c.byKey() {
		if all += rows[0].size; !c.broken[rows[0].key] {
			packs = append(packs, rows)
		}
	}
	slices.SortStableFunc(packs, func(a, b []row) int { return cmp.Compare(oldest(a), oldest(b)) })
	limit := all
	if c.o.Fraction > 0 {
		limit = min(limit, int64(float64(all)*c.o.Fraction))
	}
	if c.o.Bytes > 0 {
		limit = min(limit, c.o.Bytes)
	}
	limit = max(limit, 1) // a part, however small, is at least one pack
	for i := range packs {
		if total >= limit {
			return packs[:i], total
		}
		total += packs[i][0].size
	}
	return packs, total
}

// oldest is when the rows of a pack were verified, the one that was not for the longest time.
func oldest(rows []row) int64 {
	at := rows[0].verified
	for _, r := range rows {
		at = min(at, r.verified)
	}
	return at
}

// reader is what one worker keeps from pack to pack.
type reader struct{ body, plain []byte }

// verdict is what verifying a pack brought to light.
type verdict struct {
	rows   []row
	bad    []catalog.ID // chunks that cannot be read as they were
	reason string       // why, of the first fault; "" if there is none
	gone   bool         // the object is missing
	err    error        // of the check itself
}

func (v *verdict) fail(reason string, chunks ...catalog.ID) {
	if v.reason == "" {
		v.reason = reason
	}
	v.bad = append(v.bad, chunks...)
}

// verify reads a pack whole, and opens all that the catalog and its own directory say is in it.
func (c *checker) verify(ctx context.Context, r *reader, rows []row) *verdict {
	v := &verdict{rows: rows}
	key, size := rows[0].key, rows[0].size
	if int64(cap(r.body)) < size {
		r.body = make([]byte, size)
	}
	body := r.body[:size]
	n, err := c.store.GetRange(ctx, pack.Key(key), 0, body)
	switch {
	case errors.Is(err, s3store.ErrNotExist):
		v.gone = true
		v.bad, v.err = c.chunks(ctx, rows)
		return v
	case errors.Is(err, io.ErrUnexpectedEOF):
		body = body[:n]
		v.fail(fmt.Sprintf("ends after %d of %d bytes", n, size))
	case err != nil:
		v.err = fmt.Errorf("read pack %s: %w", key, err)
		return v
	}
	v.err = c.contents(ctx, r, v, body)
	return v
}

// judge reports what was found of a pack, and has the catalog remember those that are sound.
func (c *checker) judge(ctx context.Context, v *verdict, total int64) error {
	switch {
	case v.err != nil:
		return v.err
	case v.gone && len(v.bad) == 0: // the catalog has let go of it, too
		return nil
	case v.gone:
		return c.damaged(ctx, PackMissing, v.rows, "is missing", v.bad)
	}
	c.report.PacksRead++
	c.report.BytesRead += v.rows[0].size
	if c.o.Progress != nil {
		c.o.Progress(c.report.BytesRead, total)
	}
	if v.reason != "" {
		return c.damaged(ctx, PackDamaged, v.rows, v.reason, v.bad)
	}
	c.remember(ctx, v.rows, time.Now().UnixNano())
	return ctx.Err()
}

// remember has the catalog remember when a pack was verified, or (broken) that it cannot be. A catalog that may only be
// read does not: the check holds none the less.
func (c *checker) remember(ctx context.Context, rows []row, at int64) {
	if c.forgets {
		return
	}
	ids := make([]catalog.ID, len(rows))
	for i := range rows {
		ids[i] = rows[i].id
	}
	err := c.cat.MarkVerified(ctx, ids, at)
	if err == nil || ctx.Err() != nil {
		return
	}
	c.forgets = true
	c.found(Finding{
		Severity: Note, Kind: NotRemembered, Scan: -1,
		Message: fmt.Sprintf("the catalog may only be read, and does not remember what this check found out: %v", err),
	})
}
