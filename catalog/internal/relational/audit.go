package relational

import (
	"context"

	"github.com/bus3/bus3/catalog"
)

var eachPack = Query{SQL: `SELECT id, size, verified, key FROM pack ORDER BY COALESCE(verified, 0), id`, Shape: "iiib"}

// EachPack tells all packs and when each was last verified (ns since 1970, 0 for never): the longest unverified first.
func (c *Catalog) EachPack(ctx context.Context, fn func(p *catalog.Pack, verified int64) error) error {
	var p catalog.Pack
	return c.db.Query(ctx, &eachPack, nil, func(r *Row) error {
		p = catalog.Pack{ID: catalog.ID(r.Int(0)), Size: r.Int(1)}
		if key := r.Bytes(3); !p.ID.Valid() || p.Size <= 0 || p.Size > catalog.MaxPack || copy(p.Key[:], key) != len(key) || len(key) != len(p.Key) {
			return catalog.Invalidf("pack %s has %d bytes and a key of %d", p.ID, p.Size, len(key))
		}
		return fn(&p, r.Int(2))
	})
}

// MarkVerified notes when packs were verified (ns since 1970). A negative time says that a pack was found to be broken:
// KnownChunks does not tell its chunks any more, so that the next backup that meets them stores them again.
func (c *Catalog) MarkVerified(ctx context.Context, packs []catalog.ID, at int64) error {
	return c.db.Write(ctx, func(tx Tx) error {
		return tx.ExecMany(ctx, `UPDATE pack SET verified = $1 {from} WHERE id = {a}`, Keys{ints(packs)}, at)
	})
}
