package check_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/bus3/bus3/backup/check"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/catalogtest"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/s3store/repository"
	"github.com/bus3/bus3/test/world"
)

// busy is a repository in which somebody takes a step of a backup each time that the check looks anywhere, before and after.
type busy struct {
	steps []func()
}

func (b *busy) step() {
	if len(b.steps) > 0 {
		next := b.steps[0]
		b.steps = b.steps[1:]
		next()
	}
}

func (b *busy) around(f func() error) error {
	b.step()
	defer b.step()
	return f()
}

type busyCatalog struct {
	catalogtest.Catalog
	*busy
}

func (c busyCatalog) Scans(ctx context.Context, fn func(*catalog.Scan) error) error {
	return c.around(func() error { return c.Catalog.Scans(ctx, fn) })
}

func (c busyCatalog) EachPack(ctx context.Context, fn func(*catalog.Pack, int64) error) error {
	return c.around(func() error { return c.Catalog.EachPack(ctx, fn) })
}

func (c busyCatalog) Dangling(ctx context.Context, fn func(catalog.Dangling) error) error {
	return c.around(func() error { return c.Catalog.Dangling(ctx, fn) })
}

type busyRepository struct {
	*repository.Repository
	*busy
}

func (r busyRepository) Parts(ctx context.Context, from int64, fn func(repository.Part) error) error {
	return r.around(func() error { return r.Repository.Parts(ctx, from, fn) })
}

type busyStore struct {
	s3store.Store
	*busy
}

func (s busyStore) List(ctx context.Context, prefix, after string, fn func(s3store.Object) error) error {
	return s.around(func() error { return s.Store.List(ctx, prefix, after, fn) })
}

// backups are the steps of scans of two directories: packs are stored, batches written and applied one at a time.
func backups(w *world.World) (steps []func()) {
	for n := int64(5); n < 9; n++ {
		var s *world.Scan
		steps = append(steps, func() { s = w.Begin(n, []string{"/one", "/two"}[n%2]) })
		for i := range 2 {
			var b *catalog.Batch
			steps = append(steps, func() {
				root, err := w.Cat.CurrentRoot(w.T.Context(), s.Source.ID)
				must(w.T, err)
				b = &catalog.Batch{}
				s.Files(b, root.Ino, fmt.Sprintf("new-%d-%d", n, i))
			}, func() { s.Write(b) }, func() { s.Apply(b) })
		}
		steps = append(steps, func() { s.End() })
	}
	return steps
}

func TestABackupAtTheSameTimeIsNoFault(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.History()
	all := backups(w)
	for len(all) > 0 {
		b := &busy{steps: all[:min(len(all), 9)]} // a check has at least as many chances
		all = all[len(b.steps):]
		r, found := run(t, busyCatalog{w.Cat, b}, busyStore{w.Store, b}, busyRepository{w.Repo, b}, check.Options{ReadData: true})
		if r.Faults != 0 {
			t.Errorf("found\n%s", found)
		}
		for _, f := range found.of(check.Garbage) {
			if f.Kind != check.Unused {
				t.Errorf("%s is garbage of kind %s", f.Key, f.Kind)
			}
		}
		for len(b.steps) > 0 {
			b.step()
		}
	}
	if r, found := checked(t, w, check.Options{ReadData: true}); len(found) != 0 || r.PacksRead != r.Packs {
		t.Errorf("afterwards:\n%s", found)
	}
}

// A pack whose batch is applied between the look into the catalog and the listing of the store is no garbage.
func TestAPackThatIsAppliedMeanwhileIsNotGarbage(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.History()
	s := w.Begin(5, "/one")
	root, err := w.Cat.CurrentRoot(t.Context(), s.Source.ID)
	must(t, err)
	batch := &catalog.Batch{}
	s.Files(batch, root.Ino, "new")
	b := &busy{steps: []func(){func() { s.Write(batch) }, func() { s.Apply(batch) }}}
	orphan := pack.Key(noise())
	must(t, w.Store.Put(t.Context(), orphan, []byte("garbage")))
	_, found := run(t, w.Cat, w.Store, busyRepository{w.Repo, b}, check.Options{})
	if garbage := found.of(check.Garbage); len(garbage) != 1 || garbage[0].Key != orphan {
		t.Errorf("found\n%s", found)
	}
}
