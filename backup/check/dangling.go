package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bus3/bus3/catalog"
)

// loose is references of one kind that lead to what one scan should have brought.
type loose struct {
	from, to catalog.Thing
	scan     int64 // of what is missing
}

// group is the references that are one finding.
type group struct {
	count  int64
	first  catalog.Dangling
	from   catalog.ID   // the lowest
	sample []catalog.ID // entries, or chunks, whose users are touched
}

// maxSample bounds how many IDs a group keeps: a finding counts no more files than those.
const maxSample = 10_000

// dangling reports references between rows that lead nowhere, one finding for each kind and scan.
func (c *checker) dangling(ctx context.Context) error {
	groups := map[loose]*group{}
	err := c.cat.Dangling(ctx, func(d catalog.Dangling) error {
		if c.unjudged(d.From.Scan()) || c.unjudged(d.To.Scan()) {
			return nil
		}
		key := loose{d.FromKind, d.ToKind, d.To.Scan()}
		g := groups[key]
		if g == nil {
			g = &group{first: d, from: d.From}
			groups[key] = g
		}
		g.count++
		g.from = min(g.from, d.From)
		if len(g.sample) < maxSample {
			g.sample = append(g.sample, sampled(d))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for references that lead nowhere: %w", err)
	}
	order := func(a, b loose) int {
		return cmp.Or(cmp.Compare(a.scan, b.scan), cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to))
	}
	for _, key := range slices.SortedFunc(maps.Keys(groups), order) {
		if err := c.loose(ctx, key, groups[key]); err != nil {
			return err
		}
	}
	return nil
}

// unjudged tells whether rows of a scan may come and go while the check looks: it has begun since the check began, or the
// catalog lacks some of it. References to what such a scan brought may dangle until the catalog has caught up.
func (c *checker) unjudged(scan int64) bool { return scan > c.highest || c.ahead[scan] != nil }

// sampled is the end of a reference from which its files can be found.
func sampled(d catalog.Dangling) catalog.ID {
	if d.FromKind == catalog.ContentThing {
		return d.To
	}
	return d.From
}

func (c *checker) loose(ctx context.Context, key loose, g *group) (err error) {
	f := Finding{Severity: Fault, Kind: Dangles, Scan: g.from.Scan()}
	switch key.from {
	case catalog.EntryThing:
		for _, id := range g.sample {
			if err := c.entry(ctx, &f, id); err != nil {
				return err
			}
		}
	case catalog.ContentThing, catalog.ChunkThing:
		if err := c.touched(ctx, &f, g.sample); err != nil {
			return err
		}
	}
	f.Message = "in the catalog, " + g.first.String()
	if g.count > 1 {
		f.Message += fmt.Sprintf(", and there are %d more of this kind", g.count-1)
	}
	f.Message += "; `bus3 rebuild --replace` makes the catalog anew, as far as the journal in the store is whole"
	c.found(f)
	return nil
}

// entry adds a file to a finding.
func (c *checker) entry(ctx context.Context, f *Finding, id catalog.ID) error {
	f.Files++
	if len(f.Paths) >= maxPaths {
		return nil
	}
	e, err := c.cat.Entry(ctx, id)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil // gone meanwhile
	}
	if err != nil {
		return err
	}
	p, err := c.path(ctx, &e)
	f.Paths = append(f.Paths, p)
	return err
}
