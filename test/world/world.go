// Package world is a small repository for tests, with scans that are written part by part, so that tests know what each part tells.
package world

import (
	"crypto/rand"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/catalogtest"
	"github.com/bus3/bus3/catalog/sqlite"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/s3store/repository"
	"github.com/bus3/bus3/s3store/seal"
	"github.com/bus3/bus3/test/quick"
)

// World is a repository in a directory and its catalog. Scans are written into it part by part, so that tests know
// what each part tells.
type World struct {
	T     *testing.T
	Dir   string // of the store
	Store s3store.Store
	Repo  *repository.Repository
	Cat   catalogtest.Catalog
	Key   *age.X25519Identity
}

// reopen opens the repository in a copy of its store.
func (w *World) reopen(store s3store.Store) *repository.Repository {
	w.T.Helper()
	unlock, err := repository.UnlockFile([]byte(w.Key.String()), nil)
	must(w.T, err)
	repo, err := repository.Open(w.T.Context(), store, unlock...)
	must(w.T, err)
	return repo
}

// New is a world with a catalog in SQLite, and no scan yet.
func New(t *testing.T) *World {
	t.Helper()
	return On(t, Catalog(t))
}

// On is a world with that catalog, which is empty.
func On(t *testing.T, cat catalogtest.Catalog) *World {
	t.Helper()
	w := &World{T: t, Dir: filepath.Join(quick.Dir(t), "store")}
	var err error
	w.Store, err = s3store.Open(t.Context(), "file://"+w.Dir, s3store.Options{})
	must(t, err)
	id, err := age.GenerateX25519Identity()
	must(t, err)
	wrap, err := repository.WrapRecipient("test", id.Recipient().String())
	must(t, err)
	w.Repo, err = repository.Init(t.Context(), w.Store, repository.Chunking{}, wrap)
	must(t, err)
	w.Cat, w.Key = cat, id
	must(t, w.Cat.Claim(t.Context(), w.Repo.ID()))
	return w
}

// Catalog is a new, empty catalog in SQLite.
func Catalog(t *testing.T) *sqlite.Catalog {
	t.Helper()
	cat, err := sqlite.Open(t.Context(), filepath.Join(quick.Dir(t), "catalog.db"), sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, cat.Close()) })
	return cat
}

// Sync replays into a catalog.
func (w *World) Sync(cat catalogtest.Catalog, o rebuild.Options) (*rebuild.Report, error) {
	return rebuild.Sync(w.T.Context(), cat, w.Store, w.Repo, o)
}

// Scan is one that is being written.
type Scan struct {
	w       *World
	Number  int64
	part    int64
	digest  catalog.Hash
	Source  catalog.Source
	counter int64
}

// Begin claims a number for a source: root is its directory on host "here".
func (w *World) Begin(number int64, root string) *Scan {
	w.T.Helper()
	s := &Scan{w: w, Number: number, Source: catalog.Source{ID: catalog.NewID(number, 1), Host: "here", Root: root}, counter: 1}
	b := &catalog.Begin{Source: s.Source, Started: 1_000 + number, Program: "test", After: -1}
	if known, err := w.Cat.FindSource(w.T.Context(), "here", root); err == nil {
		b.Source, s.Source = known, known
		newest, err := w.Cat.NewestScan(w.T.Context(), known.ID)
		must(w.T, err)
		b.After, b.AfterParts, b.AfterDigest = newest.Number, newest.Parts, newest.Digest
	}
	s.Put(&catalog.Batch{Begin: b})
	return s
}

// ID is the next ID of the scan.
func (s *Scan) ID() catalog.ID {
	s.counter++
	return catalog.NewID(s.Number, s.counter)
}

// Put stores a part and applies it.
func (s *Scan) Put(b *catalog.Batch) {
	s.w.T.Helper()
	s.Write(b)
	s.Apply(b)
}

// Write stores a part in the journal.
func (s *Scan) Write(b *catalog.Batch) {
	s.w.T.Helper()
	b.Scan, b.Part = s.Number, s.part
	_, err := s.w.Repo.PutPart(s.w.T.Context(), b, s.digest)
	must(s.w.T, err)
	s.part, s.digest = s.part+1, b.Digest
}

// Apply applies a part that is in the journal.
func (s *Scan) Apply(b *catalog.Batch) {
	s.w.T.Helper()
	must(s.w.T, s.w.Cat.Apply(s.w.T.Context(), b))
}

// End completes the scan.
func (s *Scan) End() {
	s.Put(&catalog.Batch{End: &catalog.End{Finished: 2_000 + s.Number, State: catalog.Complete}})
}

// Root is an entry for the root directory.
func (s *Scan) Root() catalog.Entry {
	return catalog.Entry{ID: s.ID(), Source: s.Source.ID, Last: catalog.Open, Ino: s.ID(), Kind: catalog.Directory, Mode: 0o755, Nlink: 2}
}

// Dir is an entry for a directory in another one.
func (s *Scan) Dir(in catalog.ID, name string) catalog.Entry {
	return catalog.Entry{ID: s.ID(), Source: s.Source.ID, Last: catalog.Open, Dir: in, Name: name, Ino: s.ID(), Kind: catalog.Directory, Mode: 0o755, Nlink: 2}
}

// Files adds to b a pack with one chunk for each file, and the files.
func (s *Scan) Files(b *catalog.Batch, in catalog.ID, names ...string) {
	s.w.T.Helper()
	var key catalog.PackID
	_, _ = rand.Read(key[:])
	packID := s.ID()
	w := pack.NewWriter(s.w.Repo.Keys(), packID, key, nil)
	box := pack.SegmentBox(s.w.Repo.Keys(), key)
	for i, name := range names {
		plain := []byte(strings.Repeat(fmt.Sprintf("content of %s in scan %d. ", name, s.Number), 20))
		segment := catalog.Segment{ID: s.ID(), Pack: packID, Number: uint32(i), Length: uint32(len(plain))}
		chunk := catalog.Chunk{ID: s.ID(), Hash: s.w.Repo.Keys().HashChunk(plain), Segment: segment.ID, Length: uint32(len(plain))}
		sealed := pack.SealSegment(nil, box, segment.Number, plain, seal.Fastest)
		segment.Stored = uint32(len(sealed))
		segment.Offset = w.Append(segment.ID, segment.Number, sealed, segment.Length, []pack.Chunk{{ID: chunk.ID, Hash: chunk.Hash, Length: chunk.Length}})
		b.Segments, b.Chunks = append(b.Segments, segment), append(b.Chunks, chunk)
		b.Opened = append(b.Opened, catalog.Entry{
			ID: s.ID(), Source: s.Source.ID, Last: catalog.Open, Dir: in, Name: name, Ino: s.ID(), Kind: catalog.File, Mode: 0o644,
			Nlink: 1, Size: int64(len(plain)), Chunk: chunk.ID,
		})
	}
	body := w.Finish()
	must(s.w.T, s.w.Store.Put(s.w.T.Context(), pack.Key(key), body))
	b.Packs = append(b.Packs, catalog.Pack{ID: packID, Key: key, Size: int64(len(body))})
}

// History writes two sources with five scans, the last of which are of several parts each.
func (w *World) History() {
	w.T.Helper()
	for round := range 2 {
		for i, root := range []string{"/one", "/two"} {
			w.Tree(w.Begin(int64(2*round+i), root))
		}
	}
	s := w.Begin(4, "/one")
	old, err := w.Cat.CurrentRoot(w.T.Context(), s.Source.ID)
	must(w.T, err)
	b := &catalog.Batch{}
	s.Files(b, old.Ino, "new-in-4")
	s.Put(b)
	s.End()
}

// Tree writes a scan of three parts: each with a pack, a directory within that of the part before, and files in both.
func (w *World) Tree(s *Scan) {
	w.T.Helper()
	root := s.Root()
	first := &catalog.Batch{Opened: []catalog.Entry{root}}
	if old, err := w.Cat.CurrentRoot(w.T.Context(), s.Source.ID); err == nil {
		first = &catalog.Batch{}
		root = old
		must(w.T, w.Cat.Current(w.T.Context(), []catalog.ID{old.Ino}, func(e *catalog.Entry) error {
			first.Closed = append(first.Closed, catalog.Closed{ID: e.ID, Last: s.Number - 1})
			return nil
		}))
	}
	a := s.Dir(root.Ino, "a")
	first.Opened = append(first.Opened, a)
	s.Files(first, root.Ino, "r1", "r2")
	s.Put(first)

	b := s.Dir(a.Ino, "b")
	second := &catalog.Batch{Opened: []catalog.Entry{b}}
	s.Files(second, a.Ino, "a1", "a2")
	s.Put(second)

	third := &catalog.Batch{}
	s.Files(third, b.Ino, "b1", "b2")
	s.Put(third)
	s.End()
}
