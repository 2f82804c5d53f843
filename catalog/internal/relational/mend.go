package relational

import (
	"context"
	"fmt"

	"github.com/bus3/bus3/catalog"
)

// overlapping tells entries that go on although a later entry has their name, with the scan in which that one begins.
var overlapping = Query{
	SQL: `SELECT id, next >> 36 FROM (` +
		`SELECT id, last, lead(id) OVER (PARTITION BY dir, name ORDER BY id) AS next FROM entry WHERE source = $1) o ` +
		`WHERE next IS NOT NULL AND (last IS NULL OR last >= next >> 36)`,
	Shape: "ii",
}

// Mend ends entries of a source that a later entry of the same name overlaps: the scan before that one is their last.
// Such entries are left behind where the batch that closed them is lost. It reads all entries of the source, and returns how many it ended.
func (c *Catalog) Mend(ctx context.Context, source catalog.ID) (ended int64, err error) {
	var closed []catalog.Closed
	err = c.db.Query(ctx, &overlapping, []any{int64(source)}, func(r *Row) error {
		closed = append(closed, catalog.Closed{ID: catalog.ID(r.Int(0)), Last: r.Int(1) - 1})
		return nil
	})
	if err != nil || len(closed) == 0 {
		return 0, err
	}
	err = c.db.Write(ctx, func(tx Tx) error { return endAll(ctx, tx, source, closed, "") })
	if err != nil {
		return 0, fmt.Errorf("mend the entries of source %s: %w", source, err)
	}
	return int64(len(closed)), nil
}
