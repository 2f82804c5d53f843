package restore

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"filippo.io/age"

	"github.com/bus3/bus3/backup"
	"github.com/bus3/bus3/cache"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/sqlite"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
	"github.com/bus3/bus3/s3store/seal"
	"github.com/bus3/bus3/test/tree"
)

// world is a repository in a directory, with a tree that is backed up to it.
type world struct {
	t     testing.TB
	dir   string
	root  string // of the tree
	key   *age.X25519Identity
	repo  *repository.Repository
	store s3store.Store
	cat   *sqlite.Catalog
}

func newWorld(t testing.TB) *world {
	t.Helper()
	dir := t.TempDir()
	w := &world{t: t, dir: dir, root: filepath.Join(dir, "tree")}
	must(t, os.Mkdir(w.root, 0o755))
	var err error
	w.store, err = s3store.Open(t.Context(), "file://"+filepath.Join(dir, "store"), s3store.Options{})
	must(t, err)
	w.key, err = age.GenerateX25519Identity()
	must(t, err)
	wrap, err := repository.WrapRecipient("test", w.key.Recipient().String())
	must(t, err)
	w.repo, err = repository.Init(t.Context(), w.store, repository.Chunking{}, wrap)
	must(t, err)
	w.cat, err = sqlite.Open(t.Context(), filepath.Join(dir, "catalog.db"), sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, w.cat.Close()) })
	must(t, w.cat.Claim(t.Context(), w.repo.ID()))
	return w
}

// backup backs the tree up and gives the number of the scan.
func (w *world) backup() int64 {
	w.t.Helper()
	s, err := backup.Run(w.t.Context(), w.cat, w.store, w.repo, backup.Options{Root: w.root, Host: "here", Program: "test", Compression: seal.Fastest})
	must(w.t, err)
	return s.Scan
}

func (w *world) path(names ...string) string {
	return filepath.Join(append([]string{w.dir}, names...)...)
}

func (w *world) reader() *cache.Reader {
	w.t.Helper()
	r, err := cache.New(w.cat, w.store, w.repo.Keys(), cache.Options{})
	must(w.t, err)
	w.t.Cleanup(func() { must(w.t, r.Close()) })
	return r
}

// told collects problems.
type told struct {
	mu    sync.Mutex
	paths []string
	lines []string
}

func (p *told) add(path, message string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.paths = append(p.paths, path)
	p.lines = append(p.lines, path+": "+message)
}

// restore restores, from a catalog that may be another than the world's.
func (w *world) restore(cat Catalog, o Options) (*Summary, *told, error) {
	w.t.Helper()
	p := &told{}
	o.Problem = p.add
	s, err := Run(w.t.Context(), cat, w.reader(), o)
	return s, p, err
}

// sound restores what must restore without a problem.
func (w *world) sound(o Options) *Summary {
	w.t.Helper()
	s, p, err := w.restore(w.cat, o)
	must(w.t, err)
	if s.Failed != 0 || len(p.lines) != 0 {
		w.t.Fatalf("%d failed: %q", s.Failed, p.lines)
	}
	return s
}

// agree holds two trees against each other.
func agree(t testing.TB, a, b string) {
	t.Helper()
	for i, line := range tree.Diff(record(t, a), record(t, b), tree.Ignore{}) {
		if i == 20 {
			t.Fatal("… and more")
		}
		t.Error(line)
	}
}

func record(t testing.TB, dir string) []tree.Entry {
	t.Helper()
	r, err := tree.Record(dir)
	must(t, err)
	return r
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func write(t testing.TB, name string, data []byte) {
	t.Helper()
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, data, 0o644))
}

func holds(t testing.TB, name string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(name)
	must(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%s has %d other bytes than the %d that it should", name, len(got), len(want))
	}
}

// names are all names below a directory.
func names(t testing.TB, dir string) (found []string) {
	t.Helper()
	for _, e := range record(t, dir) {
		found = append(found, e.Path)
	}
	return found
}

// altered is a catalog that tells lies.
type altered struct {
	*sqlite.Catalog
	entry func(e *catalog.Entry)
	piece func(p *catalog.PlacedPiece)
}

func (a *altered) List(ctx context.Context, scan int64, dir catalog.ID, fn func(*catalog.Entry) error) error {
	return a.Catalog.List(ctx, scan, dir, func(e *catalog.Entry) error {
		if a.entry != nil {
			a.entry(e)
		}
		return fn(e)
	})
}

func (a *altered) Pieces(ctx context.Context, content catalog.ID, from int64, limit int, fn func(*catalog.PlacedPiece) error) error {
	return a.Catalog.Pieces(ctx, content, from, limit, func(p *catalog.PlacedPiece) error {
		if a.piece != nil {
			a.piece(p)
		}
		return fn(p)
	})
}
