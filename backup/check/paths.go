package check

import (
	"context"
	"errors"
	"fmt"
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
	err := c.cat.Users(ctx, chunks, func(e *catalog.Entry) error {
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
	if err != nil {
		return fmt.Errorf("find the files that a fault touches: %w", err)
	}
	return nil
}

// path is where an entry is, in the first scan that has it.
func (c *checker) path(ctx context.Context, e *catalog.Entry) (Path, error) {
	source, err := c.source(ctx, e.First())
	if err != nil {
		return Path{}, err
	}
	p := Path{Host: source.Host, First: e.First(), Last: e.Last}
	if e.Last == catalog.Open {
		p.Last = -1
	}
	names := []string{e.Name}
	for dir := e.Dir; dir != 0 && len(names) < deepest; {
		d, err := c.cat.Directory(ctx, e.First(), dir)
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
	if b.Len() == 0 {
		b.WriteString("/")
	}
	p.Path = b.String()
	return p, nil
}

// source is whose a scan is.
func (c *checker) source(ctx context.Context, scan int64) (catalog.Source, error) {
	if s, ok := c.scans[scan]; ok {
		return s.Source, nil
	}
	s, err := c.cat.Scan(ctx, scan) // it has begun meanwhile
	if errors.Is(err, catalog.ErrNotFound) {
		return catalog.Source{Host: "?", Root: "/?"}, nil
	}
	return s.Source, err
}
