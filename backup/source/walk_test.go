package source

import (
	"cmp"
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/test/tree"
)

func TestEverythingIsSeenAsItIs(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tree")
	must(t, tree.Make(dir, tree.Options{Huge: true, Logf: t.Logf}))
	want, err := tree.Record(dir)
	must(t, err)
	for _, stepwise := range []bool{false, true} {
		src := open(t, dir, Options{})
		if stepwise {
			src.beneath = false
		}
		got := walk(t, src)
		if len(got) != len(want) {
			t.Errorf("%d entries, not %d", len(got), len(want))
		}
		if lines := tree.Diff(want, got, tree.Ignore{}); len(lines) > 0 {
			t.Errorf("stepwise %v:\n%s", stepwise, strings.Join(lines, "\n"))
		}
	}
}

// walk looks at a tree through this package, in the form in which package tree has it.
func walk(t *testing.T, src *Tree) []tree.Entry {
	t.Helper()
	w := walker{t: t, src: src, inodes: make(map[[2]uint64][]int)}
	d, st, err := src.Root()
	must(t, err)
	w.add(d, &st, ".")
	w.below(d, &st)
	for _, all := range w.inodes {
		if len(all) > 1 {
			first := w.entries[slices.MinFunc(all, func(a, b int) int { return cmp.Compare(w.entries[a].Path, w.entries[b].Path) })].Path
			for _, i := range all {
				w.entries[i].Group = first
			}
		}
	}
	slices.SortFunc(w.entries, func(a, b tree.Entry) int { return cmp.Compare(a.Path, b.Path) })
	return w.entries
}

type walker struct {
	t       *testing.T
	src     *Tree
	entries []tree.Entry
	inodes  map[[2]uint64][]int
}

func (w *walker) below(d *Dir, st *Stat) {
	w.t.Helper()
	stats, problems, err := w.src.List(context.Background(), d, st)
	must(w.t, err)
	if len(problems) > 0 {
		w.t.Errorf("problems: %v", problems)
	}
	if !slices.IsSortedFunc(stats, func(a, b Stat) int { return cmp.Compare(a.Name, b.Name) }) {
		w.t.Errorf("%q is not sorted", d.Path())
	}
	for i := range stats {
		s := &stats[i]
		path := d.Relative()
		if path != "" {
			path += "/"
		}
		w.add(d, s, path+s.Name)
		if s.Kind == catalog.Directory {
			w.below(d.Child(s.Name), s)
		}
	}
}

func (w *walker) add(d *Dir, s *Stat, path string) {
	w.t.Helper()
	e := tree.Entry{Path: path, Kind: s.Kind.String(), Mode: s.Mode, UID: s.UID, GID: s.GID, Mtime: s.Mtime, Rdev: s.Rdev}
	if s.Kind != catalog.Directory {
		e.Nlink = uint64(s.Nlink)
		id := [2]uint64{s.Dev, s.Ino}
		w.inodes[id] = append(w.inodes[id], len(w.entries))
	}
	if s.Kind == catalog.File || s.Kind == catalog.Symlink {
		e.Size = s.Size
	}
	target, xattrs, err := w.src.Attributes(d, s)
	must(w.t, err)
	e.Target = target
	for _, x := range xattrs {
		if e.Xattrs == nil {
			e.Xattrs = make(map[string]string)
		}
		e.Xattrs[x.Name] = string(x.Value)
	}
	if s.Kind == catalog.File {
		w.content(d, s, &e, xattrs)
	}
	w.entries = append(w.entries, e)
}

func (w *walker) content(d *Dir, s *Stat, e *tree.Entry, xattrs []catalog.Xattr) {
	w.t.Helper()
	f, err := w.src.OpenFile(d, s)
	must(w.t, err)
	defer f.Close() //nolint:errcheck // nothing was written
	if f.Stat() != *s {
		w.t.Errorf("%q: open it is %+v, listed it was %+v", e.Path, f.Stat(), *s)
	}
	byFile, err := f.Xattrs()
	must(w.t, err)
	if string(catalog.EncodeXattrs(byFile)) != string(catalog.EncodeXattrs(xattrs)) {
		w.t.Errorf("%q: the open file has other attributes: %v, %v", e.Path, byFile, xattrs)
	}
	for off := int64(0); ; {
		start, end, err := f.NextExtent(off)
		if errors.Is(err, io.EOF) {
			break
		}
		must(w.t, err)
		e.Data = append(e.Data, [2]int64{start, end})
		off = end
	}
	e.Sum, err = tree.Sum(f, s.Size, e.Data)
	must(w.t, err)
	if _, changed, err := f.Changed(); changed || err != nil {
		w.t.Errorf("%q: changed %v, %v", e.Path, changed, err)
	}
}

func open(t *testing.T, dir string, o Options) *Tree {
	t.Helper()
	src, err := Open(dir, o)
	must(t, err)
	t.Cleanup(func() { must(t, src.Close()) })
	return src
}

// list is the names in a directory of a tree, given by its path from the root.
func list(t *testing.T, src *Tree, path ...string) (*Dir, []Stat) {
	t.Helper()
	d, _, err := src.Root()
	must(t, err)
	for _, name := range path {
		d = d.Child(name)
	}
	stats, problems, err := src.List(context.Background(), d, nil)
	must(t, err)
	if len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	return d, stats
}

func names(stats []Stat) []string {
	var all []string
	for _, s := range stats {
		all = append(all, s.Name)
	}
	return all
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
