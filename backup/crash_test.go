package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/sqlite"
)

var errBroken = errors.New("the power is off")

// fragile is a catalog that fails when it is to apply something for the count-th time, before or after it has.
type fragile struct {
	*sqlite.Catalog
	left  int
	after bool
}

// Apply is as in Catalog.
func (f *fragile) Apply(ctx context.Context, b *catalog.Batch) error {
	f.left--
	if f.left != 0 {
		return f.Catalog.Apply(ctx, b)
	}
	if f.after {
		if err := f.Catalog.Apply(ctx, b); err != nil {
			return err
		}
	}
	return errBroken
}

// grow makes a tree with several packs and many rows, if sizes are tiny.
func (w *world) grow() {
	for i := range 300 {
		w.write(fmt.Sprintf("d%d/e%d/f%d", i%5, i%3, i), strings.Repeat(fmt.Sprint(i), 300))
	}
	w.write("large", string(random(1500<<10, 5)))
	w.write("large too", string(random(1200<<10, 6)))
}

// disturb changes the tree of grow.
func (w *world) disturb() {
	w.rename("d1", "moved")
	w.remove("d2")
	w.write("d2", "a file now")
	w.rename("d3/e0", "d4/e0 from d3")
	w.remove("d0/e1")
	w.write("large", string(random(1500<<10, 7)))
	for i := range 100 {
		w.write(fmt.Sprintf("new/f%d", i), strings.Repeat(fmt.Sprint("new", i), 500))
	}
}

// recovers demands that the next run finishes what a broken one has begun, stores nothing again, and that
// the catalog is what a rebuild makes of the store.
func (w *world) recovers(want tree) {
	w.t.Helper()
	s := w.backup(tiny)
	w.same(s.Scan, want)
	w.wholesome(s.Scan)
	seen := make(map[catalog.Hash]bool)
	must(w.t, w.cat.EachPack(w.t.Context(), func(p *catalog.Pack, _ int64) error {
		return w.cat.EachPlace(w.t.Context(), p.ID, func(p *catalog.Place) error {
			if seen[p.Hash] {
				return fmt.Errorf("chunk %s was stored twice", p.Hash)
			}
			seen[p.Hash] = true
			return nil
		})
	}))
	other, err := sqlite.Open(w.t.Context(), w.db+fmt.Sprint("-", s.Scan), sqlite.Options{})
	must(w.t, err)
	defer other.Close() //nolint:errcheck // thrown away
	must(w.t, other.Claim(w.t.Context(), w.repo.ID()))
	_, err = rebuild.Sync(w.t.Context(), other, w.store, w.repo, rebuild.Options{})
	must(w.t, err)
	rebuilt := *w
	rebuilt.cat = other
	if diff := cmp.Diff(want, rebuilt.inScan(s.Scan)); diff != "" {
		w.t.Fatalf("a rebuild makes something else of scan %d:\n%s", s.Scan, diff)
	}
}

// breaks runs a backup that must not succeed, unless it is done before the fault comes.
func (w *world) breaks(cat Catalog) (done bool) {
	w.t.Helper()
	o := w.options()
	tiny(&o)
	_, err := Run(w.t.Context(), cat, w.store, w.repo, o)
	if err != nil && !errors.Is(err, errBroken) {
		w.t.Fatal(err)
	}
	return err == nil
}

func TestNextRunFinishesWhatABrokenStoreInterrupted(t *testing.T) {
	for _, begun := range []bool{false, true} {
		t.Run(fmt.Sprint("after a first scan: ", begun), func(t *testing.T) {
			t.Parallel()
			for at := 1; ; at += 1 + at/2 {
				w := newQuickWorld(t)
				w.grow()
				first := onDisk(t, w.root)
				if begun {
					w.backup(tiny)
					w.disturb()
				}
				w.store.reset()
				w.store.refuse = func(_ string, count int) error {
					if count >= at {
						return errBroken
					}
					return nil
				}
				done := w.breaks(w.cat)
				w.store.refuse = nil
				w.recovers(onDisk(t, w.root))
				if begun {
					w.same(0, first)
				}
				if done {
					return
				}
			}
		})
	}
}

func TestNextRunFinishesWhatABrokenCatalogInterrupted(t *testing.T) {
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprint("applied: ", after), func(t *testing.T) {
			t.Parallel()
			for at := 1; ; at += 1 + at/2 {
				w := newQuickWorld(t)
				w.grow()
				w.backup(tiny)
				w.disturb()
				done := w.breaks(&fragile{Catalog: w.cat, left: at, after: after})
				w.recovers(onDisk(t, w.root))
				if done {
					return
				}
			}
		})
	}
}

func TestManyInterruptedRunsInARow(t *testing.T) {
	t.Parallel()
	w := newQuickWorld(t)
	w.grow()
	for at := 2; at < 20; at += 3 {
		w.store.reset()
		w.store.refuse = func(_ string, count int) error {
			if count >= at {
				return errBroken
			}
			return nil
		}
		if w.breaks(w.cat) {
			break
		}
	}
	w.store.refuse = nil
	w.recovers(onDisk(t, w.root))
}

func TestCancelledRunEnds(t *testing.T) {
	t.Parallel()
	w := newQuickWorld(t)
	w.grow()
	ctx, cancel := context.WithCancel(t.Context())
	w.store.refuse = func(_ string, count int) error {
		if count == 4 {
			cancel()
		}
		return nil
	}
	o := w.options()
	tiny(&o)
	if _, err := Run(ctx, w.cat, w.store, w.repo, o); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	w.store.refuse = nil
	w.recovers(onDisk(t, w.root))
}

func TestSecondRunOfOneDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	w := newQuickWorld(t)
	held, err := w.cat.LockSource(t.Context(), "here", w.root)
	must(t, err)
	if _, err := Run(t.Context(), w.cat, w.store, w.repo, w.options()); !errors.Is(err, catalog.ErrLocked) {
		t.Fatal(err)
	}
	must(t, held.Release())
	w.backup()
}
