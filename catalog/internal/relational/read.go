package relational

import (
	"context"
	"fmt"

	"github.com/bus3/bus3/catalog"
)

// A listing is what is still open and what was closed later. Each half has its index; neither meets older history.
const listed = `SELECT ` + entryColumns + ` FROM entry WHERE dir = $1 AND last IS NULL AND id < $2 ` +
	`UNION ALL SELECT ` + entryColumns + ` FROM entry WHERE dir = $1 AND last >= $3 AND id < $2 ORDER BY name`

// lastOne finds the one entry of an interval that covers a scan, among those that match: open, or the first to end.
func lastOne(match string) string {
	return `SELECT ` + entryColumns + ` FROM entry WHERE ` + match + ` AND last IS NULL AND id < $2 ` +
		`UNION ALL SELECT * FROM (SELECT ` + entryColumns + ` FROM entry WHERE ` + match + ` AND last >= $3 AND id < $2 ORDER BY last LIMIT 1) AS closed`
}

var (
	listEntries = Query{SQL: listed, Shape: entryShape}
	rootEntry   = Query{SQL: lastOne(`dir = $1`), Shape: entryShape}
	dirEntry    = Query{SQL: lastOne(`kind = 2 AND ino = $1`), Shape: entryShape}
	namedEntry  = Query{
		SQL: `SELECT ` + entryColumns + ` FROM entry WHERE dir = $1 AND name = $4 AND last IS NULL AND id < $2 ` +
			`UNION ALL SELECT ` + entryColumns + ` FROM entry WHERE dir = $1 AND last >= $3 AND id < $2 AND name = $4`,
		Shape: entryShape,
	}
	entryByID = Query{SQL: `SELECT ` + entryColumns + ` FROM entry WHERE id = $1`, Shape: entryShape}
	valueByID = Query{SQL: `SELECT id, hash, bytes FROM value WHERE id = {a}`, Shape: "ibb"}
	ownerOf   = Query{SQL: `SELECT source FROM scan WHERE number = $1`, Shape: "i"}
)

// Root is the root directory of the tree in a scan.
func (c *Catalog) Root(ctx context.Context, scan int64) (catalog.Entry, error) {
	source := int64(0)
	err := c.db.Query(ctx, &ownerOf, []any{scan}, func(r *Row) error {
		source = r.Int(0)
		return nil
	})
	if err != nil {
		return catalog.Entry{}, err
	}
	if source <= 0 {
		return catalog.Entry{}, fmt.Errorf("scan %d: %w", scan, catalog.ErrNotFound)
	}
	e, err := c.one(ctx, &rootEntry, -source, int64(catalog.After(scan)), scan)
	if err != nil {
		return e, fmt.Errorf("root of scan %d: %w", scan, err)
	}
	return e, nil
}

// List tells the entries of a directory, by its identity, as they were in a scan of its source, names in byte order.
func (c *Catalog) List(ctx context.Context, scan int64, dir catalog.ID, fn func(*catalog.Entry) error) error {
	var e catalog.Entry
	return c.db.Query(ctx, &listEntries, []any{int64(dir), int64(catalog.After(scan)), scan}, func(r *Row) error {
		if err := readEntry(&e, r, 0); err != nil {
			return err
		}
		return fn(&e)
	})
}

// Lookup is the entry of that name in a directory as it was in a scan of its source.
func (c *Catalog) Lookup(ctx context.Context, scan int64, dir catalog.ID, name string) (catalog.Entry, error) {
	e, err := c.one(ctx, &namedEntry, int64(dir), int64(catalog.After(scan)), scan, []byte(name))
	if err != nil {
		return e, fmt.Errorf("%q in directory %s of scan %d: %w", name, dir, scan, err)
	}
	return e, nil
}

// Entry is the entry with that ID.
func (c *Catalog) Entry(ctx context.Context, id catalog.ID) (catalog.Entry, error) {
	e, err := c.one(ctx, &entryByID, int64(id))
	if err != nil {
		return e, fmt.Errorf("entry %s: %w", id, err)
	}
	return e, nil
}

// Directory is the entry of the directory with that identity in a scan of its source.
func (c *Catalog) Directory(ctx context.Context, scan int64, ino catalog.ID) (catalog.Entry, error) {
	e, err := c.one(ctx, &dirEntry, int64(ino), int64(catalog.After(scan)), scan)
	if err != nil {
		return e, fmt.Errorf("directory %s of scan %d: %w", ino, scan, err)
	}
	return e, nil
}

// one reads the first row of a query for entries; ErrNotFound if there is none.
func (c *Catalog) one(ctx context.Context, q *Query, args ...any) (catalog.Entry, error) {
	var e catalog.Entry
	found := false
	err := c.db.Query(ctx, q, args, func(r *Row) error {
		if found {
			return nil
		}
		found = true
		return readEntry(&e, r, 0)
	})
	if err != nil {
		return catalog.Entry{}, err
	}
	if !found {
		return e, catalog.ErrNotFound
	}
	return e, nil
}

// Values tells the values with those IDs, in their order. Those that are not known are not reported.
func (c *Catalog) Values(ctx context.Context, ids []catalog.ID, fn func(*catalog.Value) error) error {
	var v catalog.Value
	return c.db.Many(ctx, &valueByID, Keys{ints(ids)}, nil, func(_ int, r *Row) error {
		v.ID, v.Bytes = catalog.ID(r.Int(1)), r.Bytes(3)
		if h := r.Bytes(2); len(h) != len(v.Hash) || len(v.Bytes) > catalog.MaxValue || catalog.HashValue(v.Bytes) != catalog.Hash(h) {
			return catalog.Invalidf("value %s of %d bytes does not have its digest", v.ID, len(v.Bytes))
		}
		v.Hash = catalog.Hash(r.Bytes(2))
		return fn(&v)
	})
}
