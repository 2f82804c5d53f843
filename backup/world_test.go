package backup

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"filippo.io/age"

	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/sqlite"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
	"github.com/bus3/bus3/s3store/seal"
	"github.com/bus3/bus3/test/quick"
)

// world is a repository in a directory, its catalog, and a tree to back up.
type world struct {
	t     testing.TB
	root  string
	dir   string // of store and catalog
	store *spy
	repo  *repository.Repository
	cat   *sqlite.Catalog
	db    string // the file of cat
}

// newWorld has its tree where inode numbers are used again.
func newWorld(t *testing.T) *world { return makeWorld(t, t.TempDir(), repository.Chunking{}) }

// newQuickWorld is for many files, or large ones.
func newQuickWorld(t testing.TB) *world { return makeWorld(t, quick.Tree(t), repository.Chunking{}) }

func makeWorld(t testing.TB, tree string, c repository.Chunking) *world {
	t.Helper()
	root, dir := filepath.Join(tree, "root"), quick.Dir(t)
	must(t, os.Mkdir(root, 0o755))
	inner, err := s3store.Open(t.Context(), "file://"+filepath.Join(dir, "store"), s3store.Options{})
	must(t, err)
	store := &spy{Store: inner}
	id, err := age.GenerateX25519Identity()
	must(t, err)
	wrap, err := repository.WrapRecipient("test", id.Recipient().String())
	must(t, err)
	repo, err := repository.Init(t.Context(), store, c, wrap)
	must(t, err)
	db := filepath.Join(dir, "catalog.db")
	cat, err := sqlite.Open(t.Context(), db, sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, cat.Close()) })
	must(t, cat.Claim(t.Context(), repo.ID()))
	return &world{t: t, root: root, dir: dir, store: store, repo: repo, cat: cat, db: db}
}

// options are those of a usual run.
func (w *world) options() Options {
	return Options{
		Root: w.root, Host: "here", Program: "test", Compression: seal.Fastest,
		CatchUp: func(ctx context.Context) error {
			_, err := rebuild.Sync(ctx, w.cat, w.store, w.repo, rebuild.Options{})
			return err
		},
	}
}

// backup makes a scan that must be complete.
func (w *world) backup(change ...func(*Options)) *Summary {
	w.t.Helper()
	s := w.try(change...)
	if s.State != catalog.Complete {
		w.t.Fatalf("scan %d is %s", s.Scan, s.State)
	}
	return s
}

// try makes a scan that may be partial.
func (w *world) try(change ...func(*Options)) *Summary {
	w.t.Helper()
	o := w.options()
	for _, f := range change {
		f(&o)
	}
	s, err := Run(w.t.Context(), w.cat, w.store, w.repo, o)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// tiny makes packs and batches so small that a small tree has many.
func tiny(o *Options) {
	o.resize = func(s *sizes) { s.packSize, s.batchRows, s.maxBatchRows, s.rowsOnly = 64<<10, 40, 150, 10 }
}

func (w *world) path(name string) string { return filepath.Join(w.root, name) }

func (w *world) write(name, content string) {
	w.t.Helper()
	must(w.t, os.MkdirAll(filepath.Dir(w.path(name)), 0o755))
	must(w.t, os.WriteFile(w.path(name), []byte(content), 0o644))
}

func (w *world) mkdir(name string) { w.t.Helper(); must(w.t, os.MkdirAll(w.path(name), 0o755)) }

func (w *world) rename(from, to string) { w.t.Helper(); must(w.t, os.Rename(w.path(from), w.path(to))) }
func (w *world) remove(name string)     { w.t.Helper(); must(w.t, os.RemoveAll(w.path(name))) }
func (w *world) link(from, to string)   { w.t.Helper(); must(w.t, os.Link(w.path(from), w.path(to))) }

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// spy counts what is put into a store, and can refuse it.
type spy struct {
	s3store.Store
	mu     sync.Mutex
	puts   []string
	others int
	refuse func(key string, count int) error // of the count-th put, from 1
}

func (s *spy) note(key string) error {
	s.mu.Lock()
	s.puts = append(s.puts, key)
	refuse, count := s.refuse, len(s.puts)
	s.mu.Unlock()
	if refuse != nil {
		return refuse(key, count)
	}
	return nil
}

func (s *spy) reset() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.puts, s.others = nil, 0
}

func (s *spy) other() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others++
}

// Put is as in s3store.Store.
func (s *spy) Put(ctx context.Context, key string, body []byte) error {
	if err := s.note(key); err != nil {
		return err
	}
	return s.Store.Put(ctx, key, body)
}

// PutNew is as in s3store.Store.
func (s *spy) PutNew(ctx context.Context, key string, body []byte) error {
	if err := s.note(key); err != nil {
		return err
	}
	return s.Store.PutNew(ctx, key, body)
}

// Get is as in s3store.Store.
func (s *spy) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	s.other()
	return s.Store.Get(ctx, key, limit)
}

// List is as in s3store.Store.
func (s *spy) List(ctx context.Context, prefix, after string, fn func(s3store.Object) error) error {
	s.other()
	return s.Store.List(ctx, prefix, after, fn)
}
