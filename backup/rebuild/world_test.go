package rebuild_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/sqlite"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/s3store/repository"
	"github.com/bus3/bus3/s3store/seal"
)

// world is a repository in a directory and its catalog. Scans are written into it part by part, so that tests know
// what each part tells.
type world struct {
	t     *testing.T
	dir   string // of the store
	store s3store.Store
	repo  *repository.Repository
	cat   *sqlite.Catalog
	key   *age.X25519Identity
}

// reopen opens the repository in a copy of its store.
func (w *world) reopen(store s3store.Store) *repository.Repository {
	w.t.Helper()
	unlock, err := repository.UnlockFile([]byte(w.key.String()), nil)
	must(w.t, err)
	repo, err := repository.Open(w.t.Context(), store, unlock...)
	must(w.t, err)
	return repo
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: filepath.Join(quickDir(t), "store")}
	var err error
	w.store, err = s3store.Open(t.Context(), "file://"+w.dir, s3store.Options{})
	must(t, err)
	id, err := age.GenerateX25519Identity()
	must(t, err)
	wrap, err := repository.WrapRecipient("test", id.Recipient().String())
	must(t, err)
	w.repo, err = repository.Init(t.Context(), w.store, repository.Chunking{}, wrap)
	must(t, err)
	w.cat, w.key = newCatalog(t), id
	must(t, w.cat.Claim(t.Context(), w.repo.ID()))
	return w
}

// quickDir is a directory for the test, in memory where there is a place for that: nothing here is about surviving a loss of
// power, and hundreds of catalogs are made.
func quickDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/dev/shm", "bus3-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { must(t, os.RemoveAll(dir)) })
	return dir
}

func newCatalog(t *testing.T) *sqlite.Catalog {
	t.Helper()
	cat, err := sqlite.Open(t.Context(), filepath.Join(quickDir(t), "catalog.db"), sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, cat.Close()) })
	return cat
}

// sync replays into a catalog.
func (w *world) sync(cat *sqlite.Catalog, o rebuild.Options) (*rebuild.Report, error) {
	return rebuild.Sync(w.t.Context(), cat, w.store, w.repo, o)
}

// scan is one that is being written.
type scan struct {
	w       *world
	number  int64
	part    int64
	digest  catalog.Hash
	source  catalog.Source
	counter int64
}

// begin claims a number for a source: root is its directory on host "here".
func (w *world) begin(number int64, root string) *scan {
	w.t.Helper()
	s := &scan{w: w, number: number, source: catalog.Source{ID: catalog.NewID(number, 1), Host: "here", Root: root}, counter: 1}
	b := &catalog.Begin{Source: s.source, Started: 1_000 + number, Program: "test", After: -1}
	if known, err := w.cat.FindSource(w.t.Context(), "here", root); err == nil {
		b.Source, s.source = known, known
		newest, err := w.cat.NewestScan(w.t.Context(), known.ID)
		must(w.t, err)
		b.After, b.AfterParts, b.AfterDigest = newest.Number, newest.Parts, newest.Digest
	}
	s.put(&catalog.Batch{Begin: b})
	return s
}

// id is the next ID of the scan.
func (s *scan) id() catalog.ID {
	s.counter++
	return catalog.NewID(s.number, s.counter)
}

// put stores a part and applies it.
func (s *scan) put(b *catalog.Batch) {
	s.w.t.Helper()
	b.Scan, b.Part = s.number, s.part
	_, err := s.w.repo.PutPart(s.w.t.Context(), b, s.digest)
	must(s.w.t, err)
	must(s.w.t, s.w.cat.Apply(s.w.t.Context(), b))
	s.part, s.digest = s.part+1, b.Digest
}

// end completes the scan.
func (s *scan) end() {
	s.put(&catalog.Batch{End: &catalog.End{Finished: 2_000 + s.number, State: catalog.Complete}})
}

// root is an entry for the root directory.
func (s *scan) root() catalog.Entry {
	return catalog.Entry{ID: s.id(), Source: s.source.ID, Last: catalog.Open, Ino: s.id(), Kind: catalog.Directory, Mode: 0o755, Nlink: 2}
}

// dir is an entry for a directory in another one.
func (s *scan) dir(in catalog.ID, name string) catalog.Entry {
	return catalog.Entry{ID: s.id(), Source: s.source.ID, Last: catalog.Open, Dir: in, Name: name, Ino: s.id(), Kind: catalog.Directory, Mode: 0o755, Nlink: 2}
}

// files adds to b a pack with one chunk for each file, and the files.
func (s *scan) files(b *catalog.Batch, in catalog.ID, names ...string) {
	s.w.t.Helper()
	var key catalog.PackID
	_, _ = rand.Read(key[:])
	packID := s.id()
	w := pack.NewWriter(s.w.repo.Keys(), packID, key, nil)
	box := pack.SegmentBox(s.w.repo.Keys(), key)
	for i, name := range names {
		plain := []byte(strings.Repeat(fmt.Sprintf("content of %s in scan %d. ", name, s.number), 20))
		segment := catalog.Segment{ID: s.id(), Pack: packID, Number: uint32(i), Length: uint32(len(plain))}
		chunk := catalog.Chunk{ID: s.id(), Hash: s.w.repo.Keys().HashChunk(plain), Segment: segment.ID, Length: uint32(len(plain))}
		sealed := pack.SealSegment(nil, box, segment.Number, plain, seal.Fastest)
		segment.Stored = uint32(len(sealed))
		segment.Offset = w.Append(segment.ID, segment.Number, sealed, segment.Length, []pack.Chunk{{ID: chunk.ID, Hash: chunk.Hash, Length: chunk.Length}})
		b.Segments, b.Chunks = append(b.Segments, segment), append(b.Chunks, chunk)
		b.Opened = append(b.Opened, catalog.Entry{
			ID: s.id(), Source: s.source.ID, Last: catalog.Open, Dir: in, Name: name, Ino: s.id(), Kind: catalog.File, Mode: 0o644,
			Nlink: 1, Size: int64(len(plain)), Chunk: chunk.ID,
		})
	}
	body := w.Finish()
	must(s.w.t, s.w.store.Put(s.w.t.Context(), pack.Key(key), body))
	b.Packs = append(b.Packs, catalog.Pack{ID: packID, Key: key, Size: int64(len(body))})
}

// history writes two sources with five scans, the last of which are of several parts each.
func (w *world) history() {
	w.t.Helper()
	for round := range 2 {
		for i, root := range []string{"/one", "/two"} {
			w.tree(w.begin(int64(2*round+i), root))
		}
	}
	s := w.begin(4, "/one")
	old, err := w.cat.CurrentRoot(w.t.Context(), s.source.ID)
	must(w.t, err)
	b := &catalog.Batch{}
	s.files(b, old.Ino, "new-in-4")
	s.put(b)
	s.end()
}

// tree writes a scan of three parts: each with a pack, a directory within that of the part before, and files in both.
func (w *world) tree(s *scan) {
	w.t.Helper()
	root := s.root()
	first := &catalog.Batch{Opened: []catalog.Entry{root}}
	if old, err := w.cat.CurrentRoot(w.t.Context(), s.source.ID); err == nil {
		first = &catalog.Batch{}
		root = old
		must(w.t, w.cat.Current(w.t.Context(), []catalog.ID{old.Ino}, func(e *catalog.Entry) error {
			first.Closed = append(first.Closed, catalog.Closed{ID: e.ID, Last: s.number - 1})
			return nil
		}))
	}
	a := s.dir(root.Ino, "a")
	first.Opened = append(first.Opened, a)
	s.files(first, root.Ino, "r1", "r2")
	s.put(first)

	b := s.dir(a.Ino, "b")
	second := &catalog.Batch{Opened: []catalog.Entry{b}}
	s.files(second, a.Ino, "a1", "a2")
	s.put(second)

	third := &catalog.Batch{}
	s.files(third, b.Ino, "b1", "b2")
	s.put(third)
	s.end()
}

// tell is all that a catalog shows: scans, and every path in each with what it is and where its bytes are.
func tell(t *testing.T, cat *sqlite.Catalog) []string {
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

func walk(t *testing.T, cat *sqlite.Catalog, scan int64, dir catalog.ID, path string) (out []string) {
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

// object is the file of an object.
func (w *world) object(key string) string { return filepath.Join(w.dir, filepath.FromSlash(key)) }

// journal lists the keys of the journal.
func (w *world) journal() (keys []string) {
	w.t.Helper()
	must(w.t, w.store.List(context.Background(), repository.JournalPrefix, "", func(o s3store.Object) error {
		keys = append(keys, o.Key)
		return nil
	}))
	return keys
}

// during replaces an object by body (nil: removes it) while f runs.
func (w *world) during(key string, body []byte, f func()) {
	w.t.Helper()
	was, err := os.ReadFile(w.object(key))
	must(w.t, err)
	if body == nil {
		must(w.t, os.Remove(w.object(key)))
	} else {
		must(w.t, os.WriteFile(w.object(key), body, 0o600))
	}
	f()
	must(w.t, os.WriteFile(w.object(key), was, 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fork is a copy of the world up to and without scan n, in which the scans from n on were written anew, with the same numbers.
func (w *world) fork(n int64) *world {
	w.t.Helper()
	dir := filepath.Join(quickDir(w.t), "store")
	must(w.t, os.CopyFS(dir, os.DirFS(w.dir)))
	store, err := s3store.Open(w.t.Context(), "file://"+dir, s3store.Options{})
	must(w.t, err)
	f := &world{t: w.t, dir: dir, store: store, cat: newCatalog(w.t), key: w.key}
	for _, key := range w.journal() {
		if scan, _, _ := repository.ParseJournalKey(key); scan >= n {
			must(w.t, os.Remove(f.object(key)))
		}
	}
	f.repo = w.reopen(store)
	_, err = rebuild.Sync(w.t.Context(), f.cat, store, f.repo, rebuild.Options{})
	must(w.t, err)
	f.tree(f.begin(3, "/two"))
	f.tree(f.begin(4, "/one"))
	return f
}
