package world

import (
	"fmt"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/catalogtest"
)

// Tell is all that a catalog shows: scans, and every path in each with what it is and where its bytes are.
func Tell(t *testing.T, cat catalogtest.Catalog) []string {
	t.Helper()
	var out []string
	var scans []catalog.Scan
	must(t, cat.Scans(t.Context(), func(s *catalog.Scan) error {
		scans = append(scans, *s)
		return nil
	}))
	for _, s := range scans {
		out = append(out, fmt.Sprintf("scan %d of %s: %s, %d parts, %s", s.Number, s.Source.Root, s.State, s.Parts, s.Digest))
		root, err := cat.Root(t.Context(), s.Number)
		if err != nil {
			out = append(out, err.Error())
			continue
		}
		out = append(out, walk(t, cat, s.Number, root.Ino, s.Source.Root)...)
	}
	return out
}

func walk(t *testing.T, cat catalogtest.Catalog, scan int64, dir catalog.ID, path string) (out []string) {
	t.Helper()
	var entries []catalog.Entry
	must(t, cat.List(t.Context(), scan, dir, func(e *catalog.Entry) error {
		entries = append(entries, *e)
		return nil
	}))
	for _, e := range entries {
		line := fmt.Sprintf("%d:%s/%s %s %s %d-%d", scan, path, e.Name, e.ID, e.Kind, e.First(), e.Last)
		must(t, cat.ChunkPlaces(t.Context(), []catalog.ID{e.Chunk}, func(p *catalog.Place) error {
			line += fmt.Sprintf(" %s %s+%d", p.Hash, p.Pack.Key, p.Segment.Offset)
			return nil
		}))
		out = append(out, line)
		if e.Kind == catalog.Directory {
			out = append(out, walk(t, cat, scan, e.Ino, path+"/"+e.Name)...)
		}
	}
	return out
}
