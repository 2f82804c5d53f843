package relational

import (
	"context"

	"github.com/bus3/bus3/catalog"
)

// references are all columns that refer to other rows: each query tells the IDs that refer, and what to, where that is missing.
var references = []struct {
	from, to catalog.Thing
	query    Query
}{
	{catalog.SegmentThing, catalog.PackThing, orphans(`segment`, `f.pack`, `pack t WHERE t.id = f.pack`)},
	{catalog.ChunkThing, catalog.SegmentThing, orphans(`chunk`, `f.segment`, `segment t WHERE t.id = f.segment`)},
	{catalog.ContentThing, catalog.ChunkThing, Query{
		SQL:   `SELECT f.content, f.chunk FROM piece f WHERE NOT EXISTS (SELECT 1 FROM chunk t WHERE t.id = f.chunk)`,
		Shape: "ii",
	}},
	{catalog.EntryThing, catalog.ChunkThing, orphans(`entry`, `f.data`, `chunk t WHERE t.id = f.data`, `f.data > 0`)},
	{catalog.EntryThing, catalog.ContentThing, orphans(`entry`, `-f.data`, `piece t WHERE t.content = -f.data`, `f.data < 0`)},
	{catalog.EntryThing, catalog.ValueThing, orphans(`entry`, `f.owner`, `value t WHERE t.id = f.owner`, `f.owner IS NOT NULL`)},
	{catalog.EntryThing, catalog.ValueThing, orphans(`entry`, `f.xattrs`, `value t WHERE t.id = f.xattrs`, `f.xattrs IS NOT NULL`)},
	{catalog.EntryThing, catalog.DirectoryThing, orphans(`entry`, `f.dir`, `entry t WHERE t.kind = 2 AND t.ino = f.dir`, `f.dir > 0`)},
	{catalog.EntryThing, catalog.SourceThing, orphans(`entry`, `f.source`, `source t WHERE t.id = f.source`)},
}

// orphans is a query for rows of a table that refer by ref to what is not there.
func orphans(table, ref, target string, where ...string) Query {
	text := `SELECT f.id, ` + ref + ` FROM ` + table + ` f WHERE `
	for _, w := range where {
		text += w + ` AND `
	}
	return Query{SQL: text + `NOT EXISTS (SELECT 1 FROM ` + target + `)`, Shape: "ii"}
}

// Dangling tells all references that lead nowhere. It reads the whole catalog.
func (c *Catalog) Dangling(ctx context.Context, fn func(catalog.Dangling) error) error {
	for i := range references {
		ref := &references[i]
		err := c.db.Query(ctx, &ref.query, nil, func(r *Row) error {
			return fn(catalog.Dangling{FromKind: ref.from, From: catalog.ID(r.Int(0)), ToKind: ref.to, To: catalog.ID(r.Int(1))})
		})
		if err != nil {
			return err
		}
	}
	return nil
}
