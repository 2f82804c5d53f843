package relational

import (
	"context"
	"fmt"

	"github.com/bus3/bus3/catalog"
)

var (
	nextScan = Query{SQL: `SELECT COALESCE(max(number), -1) + 1 FROM scan`, Shape: "i"}

	currentOf = Query{
		SQL:   `SELECT ` + entryColumns + ` FROM entry WHERE dir = {a} AND last IS NULL ORDER BY name`,
		Shape: entryShape,
		Order: "name",
	}
	currentByInode = Query{
		SQL:   `SELECT ` + entryColumns + ` FROM entry WHERE source_ino = {a} AND source = $1 AND dev = {b} AND last IS NULL ORDER BY id`,
		Shape: entryShape,
		Order: "id",
	}
	knownChunk = Query{
		SQL: `SELECT c.id FROM chunk c JOIN segment s ON s.id = c.segment JOIN pack p ON p.id = s.pack ` +
			`WHERE substr(c.hash, 1, 6) = substr({a}, 1, 6) AND c.hash = {a} AND COALESCE(p.verified, 0) >= 0`,
		Shape: "i",
	}
	knownValue = Query{SQL: `SELECT id FROM value WHERE substr(hash, 1, 6) = substr({a}, 1, 6) AND hash = {a}`, Shape: "i"}
)

// NextScan is the number after the highest that the catalog knows.
func (c *Catalog) NextScan(ctx context.Context) (int64, error) {
	next := int64(0)
	err := c.db.Query(ctx, &nextScan, nil, func(r *Row) error {
		if next = r.Int(0); next < 0 || next > catalog.MaxScan {
			return catalog.Invalidf("the next scan would be number %d", next)
		}
		return nil
	})
	return next, err
}

// CurrentRoot is the open root entry of a source; ErrNotFound if it has none.
func (c *Catalog) CurrentRoot(ctx context.Context, source catalog.ID) (catalog.Entry, error) {
	var root catalog.Entry
	found := false
	err := c.current(ctx, []int64{-int64(source)}, func(e *catalog.Entry) error {
		root, found = *e, true
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("root of source %s: %w", source, catalog.ErrNotFound)
	}
	return root, err
}

// Current tells the open entries of directories: in the order of dirs, and within each in that of their names' bytes.
func (c *Catalog) Current(ctx context.Context, dirs []catalog.ID, fn func(*catalog.Entry) error) error {
	return c.current(ctx, ints(dirs), fn)
}

func (c *Catalog) current(ctx context.Context, dirs []int64, fn func(*catalog.Entry) error) error {
	var e catalog.Entry
	return c.db.Many(ctx, &currentOf, Keys{dirs}, nil, func(_ int, r *Row) error {
		if err := readEntry(&e, r, 1); err != nil {
			return err
		}
		return fn(&e)
	})
}

// CurrentByInode tells the open entries of a source that had any of the inodes there, in the order of inodes.
func (c *Catalog) CurrentByInode(ctx context.Context, source catalog.ID, inodes []catalog.Inode, fn func(*catalog.Entry) error) error {
	inos, devs := make([]int64, len(inodes)), make([]int64, len(inodes))
	for i, n := range inodes {
		inos[i], devs[i] = int64(n.Ino), int64(n.Dev)
	}
	var e catalog.Entry
	return c.db.Many(ctx, &currentByInode, Keys{inos, devs}, []any{int64(source)}, func(_ int, r *Row) error {
		if err := readEntry(&e, r, 1); err != nil {
			return err
		}
		return fn(&e)
	})
}

// KnownChunks sets ids[i] to a chunk with hashes[i] whose segment and pack are known too, or to 0.
func (c *Catalog) KnownChunks(ctx context.Context, hashes []catalog.Hash, ids []catalog.ID) error {
	return c.known(ctx, &knownChunk, hashes, ids)
}

// KnownValues sets ids[i] to a value with hashes[i], or to 0.
func (c *Catalog) KnownValues(ctx context.Context, hashes []catalog.Hash, ids []catalog.ID) error {
	return c.known(ctx, &knownValue, hashes, ids)
}

func (c *Catalog) known(ctx context.Context, q *Query, hashes []catalog.Hash, ids []catalog.ID) error {
	if len(ids) != len(hashes) {
		return fmt.Errorf("%d hashes and room for %d IDs", len(hashes), len(ids))
	}
	clear(ids)
	keys := make([][]byte, len(hashes))
	for i := range hashes {
		keys[i] = hashes[i][:]
	}
	return c.db.Many(ctx, q, Keys{keys}, nil, func(i int, r *Row) error {
		id := catalog.ID(r.Int(1))
		if !id.Valid() {
			return catalog.Invalidf("%d is no ID", int64(id))
		}
		if ids[i] == 0 || id < ids[i] {
			ids[i] = id
		}
		return nil
	})
}

func ints(ids []catalog.ID) []int64 {
	out := make([]int64, len(ids))
	for i, id := range ids {
		out[i] = int64(id)
	}
	return out
}
