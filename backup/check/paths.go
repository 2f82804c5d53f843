package check

import (
	"context"
	"errors"
	"strings"

	"github.com/bus3/bus3/catalog"
)

// maxPaths is how many paths a finding lists; Finding.Files counts them all.
const maxPaths = 20

// deepest is how many directories a path is followed upwards: more are a circle.
const deepest = 100_000

// touched adds to a finding the files whose data are in those chunks.
func (c *checker) touched(ctx context.Context, f *Finding, chunks []catalog.ID) error {
	if len(chunks) == 0 {
		return nil
	}
	return c.cat.Users(ctx, chunks, func(e *catalog.Entry) error {
		f.Files++
		if len(f.Paths) >= maxPaths {
			return nil
		}
		p, err := c.path(ctx, e)
		if err == nil {
			f.Paths = append(f.Paths, p)
		}
		return err
	})
}

// path is where an entry is, in the first scan that has it.
func (c *checker) path(ctx context.Context, e *catalog.Entry) (Path, error) {
	scan := e.First()
	source := c.scans[scan].Source
	p := Path{Host: source.Host, First: scan, Last: e.Last}
	if e.Last == catalog.Open {
		p.Last = -1
	}
	names := []string{e.Name}
	for dir := e.Dir; dir != 0 && len(names) < deepest; {
		d, err := c.cat.Directory(ctx, scan, dir)
		if errors.Is(err, catalog.ErrNotFound) {
			names = append(names, "…")
			break
		}
		if err != nil {
			return p, err
		}
		names = append(names, d.Name)
		dir = d.Dir
	}
	var b strings.Builder
	b.WriteString(strings.TrimSuffix(source.Root, "/"))
	for i := len(names) - 1; i >= 0; i-- {
		if names[i] != "" {
			b.WriteString("/" + names[i])
		}
	}
	p.Path = b.String()
	return p, nil
}
