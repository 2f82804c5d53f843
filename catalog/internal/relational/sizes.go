package relational

import (
	"context"

	"github.com/bus3/bus3/catalog"
)

var contentBytes = Query{
	SQL: `SELECT CAST(COALESCE(SUM(c.length), 0) AS BIGINT) AS bytes, COUNT(*) AS pieces, COUNT(c.id) AS known ` +
		`FROM piece f LEFT JOIN chunk c ON c.id = f.chunk WHERE f.content = {a}`,
	Shape: "iii",
}

// ContentBytes tells the sum of the lengths of the pieces of contents, in the order of the contents. Those that have no
// pieces, or a piece whose chunk has no row, are not reported: what they are short of is no hole.
func (c *Catalog) ContentBytes(ctx context.Context, contents []catalog.ID, fn func(content catalog.ID, bytes int64) error) error {
	return c.db.Many(ctx, &contentBytes, Keys{ints(contents)}, nil, func(i int, r *Row) error {
		bytes, pieces, known := r.Int(1), r.Int(2), r.Int(3)
		if pieces == 0 || known != pieces {
			return nil
		}
		if bytes < 0 {
			return catalog.Invalidf("content %s has %d bytes", contents[i], bytes)
		}
		return fn(contents[i], bytes)
	})
}
