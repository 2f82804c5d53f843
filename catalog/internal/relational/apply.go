package relational

import (
	"context"
	"fmt"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/failpoint"
)

var (
	scanHead  = Query{SQL: `SELECT source, state, parts, digest FROM scan WHERE number = $1`, Shape: "iiib"}
	newestOf  = Query{SQL: `SELECT COALESCE(max(number), -1) FROM scan WHERE source = $1`, Shape: "i"}
	sourceRow = Query{SQL: `SELECT host, root FROM source WHERE id = $1 {lock}`, Shape: "bb"}
)

// head is what Apply must know of a scan.
type head struct {
	source catalog.ID
	state  catalog.State
	parts  int64 // 0: there is no such scan
	digest catalog.Hash
}

func readHead(ctx context.Context, db Reader, scan int64) (head, error) {
	var h head
	err := db.Query(ctx, &scanHead, []any{scan}, func(r *Row) error {
		h = head{source: catalog.ID(r.Int(0)), state: catalog.State(r.Int(1)), parts: r.Int(2)}
		if copy(h.digest[:], r.Bytes(3)) != len(h.digest) || h.parts < 1 {
			return catalog.Invalidf("the row of scan %d is damaged", scan)
		}
		return nil
	})
	return h, err
}

// Apply writes what a batch tells, in one durable transaction, or nothing at all. A part that was applied before is
// left alone. ErrBehind if something before it is missing, ErrSuperseded if a later scan of the source has begun without
// it, ErrDiverged if the catalog has more of the scan before than this one builds upon, ErrInvalid if the batch cannot
// be so. Writers of one source wait for each other, those of different sources do not.
func (c *Catalog) Apply(ctx context.Context, b *catalog.Batch) error {
	err := b.Check()
	if err == nil {
		err = c.db.Write(ctx, func(tx Tx) error {
			if b.Begin != nil {
				return begin(ctx, tx, b)
			}
			return proceed(ctx, tx, b)
		})
	}
	if err != nil {
		return fmt.Errorf("apply part %d of scan %d: %w", b.Part, b.Scan, err)
	}
	return nil
}

// proceed applies any part but the first.
func proceed(ctx context.Context, tx Tx, b *catalog.Batch) error {
	h, err := readHead(ctx, tx, b.Scan)
	if err != nil {
		return err
	}
	if h.parts == 0 {
		return catalog.ErrBehind
	}
	if _, err := lockSource(ctx, tx, h.source); err != nil {
		return err
	}
	if h, err = readHead(ctx, tx, b.Scan); err != nil { // as it is now that nobody else writes to the source
		return err
	}
	newest, err := newestNumber(ctx, tx, h.source)
	switch {
	case err != nil:
		return err
	case b.Part < h.parts:
		return nil
	case newest > b.Scan:
		return catalog.ErrSuperseded
	case b.Part > h.parts:
		return catalog.ErrBehind
	case h.state != catalog.Incomplete:
		return catalog.Invalidf("the scan has ended with part %d", h.parts-1)
	}
	for i := range b.Opened {
		if e := &b.Opened[i]; e.Source != h.source {
			return catalog.Invalidf("entry %s is of source %s, the scan of %s", e.ID, e.Source, h.source)
		}
	}
	failpoint.Hit("apply.begun")
	if err := insertAll(ctx, tx, b); err != nil {
		return err
	}
	failpoint.Hit("apply.inserted")
	if err := closeAll(ctx, tx, h.source, b.Closed); err != nil {
		return err
	}
	failpoint.Hit("apply.closed")
	defer failpoint.Hit("apply.before-commit")
	return advance(ctx, tx, b)
}

// lockSource makes other writers of the source wait until the transaction ends. The source's ID is 0 if there is no such source.
func lockSource(ctx context.Context, tx Tx, id catalog.ID) (catalog.Source, error) {
	var s catalog.Source
	err := tx.Query(ctx, &sourceRow, []any{int64(id)}, func(r *Row) error {
		s = catalog.Source{ID: id, Host: string(r.Bytes(0)), Root: string(r.Bytes(1))}
		return nil
	})
	return s, err
}

func newestNumber(ctx context.Context, tx Tx, source catalog.ID) (int64, error) {
	newest := int64(-1)
	err := tx.Query(ctx, &newestOf, []any{int64(source)}, func(r *Row) error {
		newest = r.Int(0)
		return nil
	})
	return newest, err
}

func insertAll(ctx context.Context, tx Tx, b *catalog.Batch) error {
	for _, in := range []struct {
		table *Table
		n     int
		row   func(i int, v Values)
	}{
		{&packs, len(b.Packs), func(i int, v Values) { packRow(&b.Packs[i], v) }},
		{&segments, len(b.Segments), func(i int, v Values) { segmentRow(&b.Segments[i], v) }},
		{&chunks, len(b.Chunks), func(i int, v Values) { chunkRow(&b.Chunks[i], v) }},
		{&pieces, len(b.Pieces), func(i int, v Values) { pieceRow(&b.Pieces[i], v) }},
		{&values, len(b.Values), func(i int, v Values) { valueRow(&b.Values[i], v) }},
		{&problems, len(b.Problems), func(i int, v Values) { problemRow(b.Scan, b.Part, int64(i), &b.Problems[i], v) }},
		{&entries, len(b.Opened), func(i int, v Values) { entryRow(&b.Opened[i], v) }},
	} {
		if in.n == 0 {
			continue
		}
		if err := tx.Insert(ctx, in.table, in.n, in.row); err != nil {
			return fmt.Errorf("insert %d rows into table %s: %w", in.n, in.table.Name, err)
		}
		failpoint.Hit("apply.table")
	}
	return nil
}

// closeAll ends the intervals of entries of the source. One that is closed already, or not there, stays as it is: what
// is asked for is that it is not open any more. One that would end before it began was never part of a scan, and goes.
func closeAll(ctx context.Context, tx Tx, source catalog.ID, closed []catalog.Closed) error {
	return endAll(ctx, tx, source, closed, ` AND last IS NULL`)
}

// endAll is closeAll for the entries that a condition allows.
func endAll(ctx context.Context, tx Tx, source catalog.ID, closed []catalog.Closed, condition string) error {
	var ends, lasts, gone []int64
	for _, c := range closed {
		if c.Last < c.ID.Scan() {
			gone = append(gone, int64(c.ID))
		} else {
			ends, lasts = append(ends, int64(c.ID)), append(lasts, c.Last)
		}
	}
	if len(ends) > 0 {
		if err := tx.ExecMany(ctx, `UPDATE entry SET last = {b} {from} WHERE id = {a} AND source = $1`+condition, Keys{ends, lasts}, int64(source)); err != nil {
			return fmt.Errorf("close %d entries: %w", len(ends), err)
		}
	}
	if len(gone) > 0 {
		if err := tx.ExecMany(ctx, `DELETE FROM entry {using} WHERE id = {a} AND source = $1`+condition, Keys{gone}, int64(source)); err != nil {
			return fmt.Errorf("drop %d entries: %w", len(gone), err)
		}
	}
	return nil
}

// advance notes in the scan's row that the part is applied, and how the scan ended if it does.
func advance(ctx context.Context, tx Tx, b *catalog.Batch) error {
	if _, err := tx.Exec(ctx, `UPDATE scan SET parts = $2, digest = $3 WHERE number = $1`, b.Scan, b.Part+1, b.Digest[:]); err != nil {
		return err
	}
	if b.End == nil {
		return nil
	}
	args := []any{b.Scan, b.End.Finished, int64(b.End.State)}
	for _, at := range counts(&b.End.Counts) {
		args = append(args, *at)
	}
	_, err := tx.Exec(ctx, `UPDATE scan SET finished = $2, state = $3, files = $4, dirs = $5, others = $6, entries_new = $7, changed = $8, unchanged = $9, `+
		`removed = $10, bytes = $11, bytes_read = $12, bytes_new = $13, bytes_stored = $14, objects = $15, problems = $16, entries_opened = $17, entries_closed = $18 `+
		`WHERE number = $1`, args...)
	return err
}
