package relational

import (
	"context"

	"github.com/bus3/bus3/catalog"
)

var (
	allData   = Query{SQL: `SELECT id, data FROM entry WHERE data IS NOT NULL`, Shape: "ii"}
	allPieces = Query{SQL: `SELECT content, chunk FROM piece`, Shape: "ii"}
)

// usersAtOnce bounds the IDs of entries that are kept while the table is read.
const usersAtOnce = 1 << 12

// Users tells the entries of all history that have any of the chunks, directly or through a content. It reads whole
// tables: it is for faults only.
func (c *Catalog) Users(ctx context.Context, chunks []catalog.ID, fn func(*catalog.Entry) error) error {
	data := make(map[int64]struct{}, len(chunks))
	for _, id := range chunks {
		data[int64(id)] = struct{}{}
	}
	contents := make(map[int64]struct{})
	err := c.db.Query(ctx, &allPieces, nil, func(r *Row) error {
		if _, ok := data[r.Int(1)]; ok {
			contents[-r.Int(0)] = struct{}{}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for id := range contents {
		data[id] = struct{}{}
	}
	var found []int64
	err = c.db.Query(ctx, &allData, nil, func(r *Row) error {
		if _, ok := data[r.Int(1)]; ok {
			found = append(found, r.Int(0))
		}
		if len(found) < usersAtOnce {
			return nil
		}
		some := found
		found = found[:0]
		return c.entries(ctx, some, fn)
	})
	if err != nil {
		return err
	}
	return c.entries(ctx, found, fn)
}

var entriesByID = Query{SQL: `SELECT ` + entryColumns + ` FROM entry WHERE id = {a}`, Shape: entryShape}

func (c *Catalog) entries(ctx context.Context, ids []int64, fn func(*catalog.Entry) error) error {
	var e catalog.Entry
	return c.db.Many(ctx, &entriesByID, Keys{ids}, nil, func(_ int, r *Row) error {
		if err := readEntry(&e, r, 1); err != nil {
			return err
		}
		return fn(&e)
	})
}
