package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/sqlite"
)

// restarting is a catalog whose server goes away now and then: each method fails the first time that it is called, and so
// does Current in the middle of what it tells.
type restarting struct {
	*sqlite.Catalog
	mu     sync.Mutex
	failed map[string]bool
	cut    int // how often Current ended in the middle
}

func (c *restarting) fails(method string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed[method] {
		return nil
	}
	c.failed[method] = true
	return fmt.Errorf("%s: %w", method, catalog.ErrUnavailable)
}

// NextScan is as in Catalog.
func (c *restarting) NextScan(ctx context.Context) (int64, error) {
	if err := c.fails("NextScan"); err != nil {
		return 0, err
	}
	return c.Catalog.NextScan(ctx)
}

// Apply is as in Catalog.
func (c *restarting) Apply(ctx context.Context, b *catalog.Batch) error {
	if err := c.fails("Apply"); err != nil {
		return errors.Join(err, c.Catalog.Apply(ctx, b)) // it was applied, but nobody was told
	}
	return c.Catalog.Apply(ctx, b)
}

// FindSource is as in Catalog.
func (c *restarting) FindSource(ctx context.Context, host, root string) (catalog.Source, error) {
	if err := c.fails("FindSource"); err != nil {
		return catalog.Source{}, err
	}
	return c.Catalog.FindSource(ctx, host, root)
}

// NewestScan is as in Catalog.
func (c *restarting) NewestScan(ctx context.Context, source catalog.ID) (catalog.Scan, error) {
	if err := c.fails("NewestScan"); err != nil {
		return catalog.Scan{}, err
	}
	return c.Catalog.NewestScan(ctx, source)
}

// CurrentRoot is as in Catalog.
func (c *restarting) CurrentRoot(ctx context.Context, source catalog.ID) (catalog.Entry, error) {
	if err := c.fails("CurrentRoot"); err != nil {
		return catalog.Entry{}, err
	}
	return c.Catalog.CurrentRoot(ctx, source)
}

// Current is as in Catalog.
func (c *restarting) Current(ctx context.Context, dirs []catalog.ID, fn func(*catalog.Entry) error) error {
	told := 0
	return c.Catalog.Current(ctx, dirs, func(e *catalog.Entry) error {
		if told++; told == 4 {
			if err := c.fails(fmt.Sprint("Current from ", e.Dir, e.Name)); err != nil {
				c.mu.Lock()
				defer c.mu.Unlock()
				c.cut++
				return err
			}
		}
		return fn(e)
	})
}

// CurrentByInode is as in Catalog.
func (c *restarting) CurrentByInode(ctx context.Context, source catalog.ID, inodes []catalog.Inode, fn func(*catalog.Entry) error) error {
	return errors.Join(c.Catalog.CurrentByInode(ctx, source, inodes, fn), c.fails("CurrentByInode"))
}

// KnownChunks is as in Catalog.
func (c *restarting) KnownChunks(ctx context.Context, hashes []catalog.Hash, ids []catalog.ID) error {
	return errors.Join(c.Catalog.KnownChunks(ctx, hashes, ids), c.fails("KnownChunks"))
}

// KnownValues is as in Catalog.
func (c *restarting) KnownValues(ctx context.Context, hashes []catalog.Hash, ids []catalog.ID) error {
	return errors.Join(c.Catalog.KnownValues(ctx, hashes, ids), c.fails("KnownValues"))
}

func TestACatalogThatIsRestartedIsAskedAgain(t *testing.T) {
	t.Parallel()
	w := newQuickWorld(t)
	for d := range 3 {
		for f := range 5 {
			w.write(fmt.Sprintf("d%d/f%d", d, f), fmt.Sprint("in ", d, " ", f))
		}
	}
	w.again()
	for d := range 3 {
		w.write(fmt.Sprintf("d%d/f%d", d, d+1), "changed")
		w.remove(fmt.Sprintf("d%d/f%d", d, d))
	}
	w.rename("d2", "moved")
	cat := &restarting{Catalog: w.cat, failed: make(map[string]bool)}
	want := onDisk(t, w.root)
	s, err := Run(t.Context(), cat, w.store, w.repo, w.options())
	must(t, err)
	w.same(s.Scan, want)
	w.wholesome(s.Scan)
	for _, method := range []string{"NextScan", "Apply", "FindSource", "NewestScan", "CurrentRoot", "CurrentByInode", "KnownChunks", "KnownValues"} {
		if !cat.failed[method] {
			t.Errorf("%s never failed", method)
		}
	}
	if cat.cut == 0 || s.Counts.Changed != 7 || s.Counts.Removed != 3 {
		t.Errorf("Current was cut %d times, %+v", cat.cut, s.Counts)
	}
}

func TestNamesAreToldOnceInTheirOrder(t *testing.T) {
	t.Parallel()
	w := newQuickWorld(t)
	for d := range 4 {
		for f := range 7 {
			w.write(fmt.Sprintf("d%d/f%d", d, f), "")
		}
	}
	scan := w.backup().Scan
	var dirs []catalog.ID
	for d := range 4 {
		dirs = append(dirs, w.lookup(scan, fmt.Sprintf("d%d", d), "").Ino)
	}
	slices.Reverse(dirs)
	var want, got []string
	note := func(to *[]string) func(*catalog.Entry) error {
		return func(e *catalog.Entry) error { *to = append(*to, fmt.Sprint(e.Dir, e.Name)); return nil }
	}
	must(t, w.cat.Current(t.Context(), dirs, note(&want)))
	cat := patient{&restarting{Catalog: w.cat, failed: make(map[string]bool)}}
	must(t, cat.Current(t.Context(), dirs, note(&got)))
	if len(want) != 28 || !slices.Equal(want, got) {
		t.Fatalf("%q\n%q", want, got)
	}
}
