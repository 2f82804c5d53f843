package check_test

import (
	"crypto/rand"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bus3/bus3/backup/check"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/sqlite"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/test/world"
)

// packOf is the pack of the file with that path in a scan of root /one.
func packOf(t *testing.T, w *world.World, scan int64, name string) (key catalog.PackID, size int64) {
	t.Helper()
	must(t, w.Cat.EachPack(t.Context(), func(p *catalog.Pack, _ int64) error {
		return w.Cat.EachPlace(t.Context(), p.ID, func(place *catalog.Place) error {
			return w.Cat.Users(t.Context(), []catalog.ID{place.Chunk}, func(e *catalog.Entry) error {
				if e.Name == name && e.First() == scan {
					key, size = p.Key, p.Size
				}
				return nil
			})
		})
	}))
	if size == 0 {
		t.Fatalf("no pack has %s of scan %d", name, scan)
	}
	return key, size
}

func paths(f check.Finding) (out []string) {
	for _, p := range f.Paths {
		out = append(out, p.Path)
	}
	slices.Sort(out)
	return out
}

func TestADamagedPackIsNamedWithScanAndPaths(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.History()
	id, size := packOf(t, w, 0, "a1")
	key := pack.Key(id)
	body, err := os.ReadFile(w.Object(key))
	must(t, err)
	flip := func(at int64) []byte {
		b := slices.Clone(body)
		b[at] ^= 1
		return b
	}
	both := []string{"/one/a/a1", "/one/a/a2"}
	for what, c := range map[string]struct {
		body  []byte
		read  bool // only reading notices it
		kind  check.Kind
		paths []string
	}{
		"removed":              {nil, false, check.PackMissing, both},
		"truncated":            {body[:size-1], false, check.PackSize, both},
		"longer":               {append(slices.Clone(body), 0), false, check.PackSize, both},
		"flipped in a segment": {flip(20), true, check.PackDamaged, both[:1]},
		"directory":            {flip(size - 30), true, check.PackDamaged, nil},
		"header":               {flip(0), true, check.PackDamaged, nil},
		"trailer":              {flip(size - 1), true, check.PackDamaged, nil},
		"zeroed":               {make([]byte, size), true, check.PackDamaged, both},
	} {
		w.During(key, c.body, func() {
			for _, read := range []bool{false, true} {
				r, all := checked(t, w, check.Options{ReadData: read})
				if c.read && !read {
					if len(all) != 0 {
						t.Errorf("%s, without reading:\n%s", what, all)
					}
					continue
				}
				if r.Faults != 1 || all[0].Key != key || all[0].Scan != 0 || all[0].Kind != c.kind || all[0].Files != int64(len(c.paths)) || !slices.Equal(paths(all[0]), c.paths) {
					t.Errorf("%s, reading %t:\n%s", what, read, all)
				}
			}
		})
	}
}

func TestAPackInThePlaceOfAnotherIsAFault(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.History()
	a, size := packOf(t, w, 0, "a1")
	b, other := packOf(t, w, 2, "a1")
	if size != other {
		t.Fatalf("the packs have %d and %d bytes", size, other)
	}
	body, err := os.ReadFile(w.Object(pack.Key(b)))
	must(t, err)
	w.During(pack.Key(a), body, func() {
		r, all := checked(t, w, check.Options{ReadData: true})
		if r.Faults != 1 || all[0].Key != pack.Key(a) || all[0].Files != 2 {
			t.Errorf("found\n%s", all)
		}
	})
}

func TestWhatWasUnverifiedForLongestIsReadFirst(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.History()
	unverified := func() (n int) {
		must(t, w.Cat.EachPack(t.Context(), func(_ *catalog.Pack, at int64) error {
			if at == 0 {
				n++
			}
			return nil
		}))
		return n
	}
	all := unverified()
	for i := range all {
		r, _ := checked(t, w, check.Options{ReadData: true, Bytes: 1})
		if r.PacksRead != 1 || unverified() != all-i-1 {
			t.Fatalf("the check number %d read %d packs, %d are unverified", i, r.PacksRead, unverified())
		}
	}
	r, _ := checked(t, w, check.Options{ReadData: true, Fraction: 0.5})
	if r.BytesRead < r.PackBytes/2 || r.PacksRead == r.Packs {
		t.Errorf("half of it: %+v", r)
	}
}

func TestACatalogThatMayOnlyBeReadWillDo(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "catalog.db")
	cat, err := sqlite.Open(t.Context(), path, sqlite.Options{})
	must(t, err)
	w := world.On(t, cat)
	w.History()
	must(t, cat.Close())
	ro, err := sqlite.Open(t.Context(), path, sqlite.Options{ReadOnly: true})
	must(t, err)
	defer func() { must(t, ro.Close()) }()
	r, all := run(t, ro, w.Store, w.Repo, check.Options{ReadData: true})
	if r.Faults != 0 || r.PacksRead != r.Packs || len(all) != 1 || all[0].Kind != check.NotRemembered {
		t.Errorf("%+v\n%s", r, all)
	}
}

// A pack of an interrupted backup is taken over with new IDs, and a rebuild around a lost part may know it by its own too.
func TestAPackWithTwoRowsIsOnePack(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	s := w.Begin(0, "/one")
	root := s.Root()
	b := &catalog.Batch{Opened: []catalog.Entry{root}}
	s.Files(b, root.Ino, "a", "b")
	s.Put(b)
	s = w.Begin(1, "/one")
	again := &catalog.Batch{Packs: []catalog.Pack{{ID: s.ID(), Key: b.Packs[0].Key, Size: b.Packs[0].Size}}}
	for i, seg := range b.Segments {
		seg.ID, seg.Pack = s.ID(), again.Packs[0].ID
		h := b.Chunks[i]
		h.ID, h.Segment = s.ID(), seg.ID
		again.Segments, again.Chunks = append(again.Segments, seg), append(again.Chunks, h)
		again.Opened = append(again.Opened, catalog.Entry{
			ID: s.ID(), Source: s.Source.ID, Last: catalog.Open, Dir: root.Ino, Name: "new" + b.Opened[1+i].Name, Ino: s.ID(), Kind: catalog.File,
			Nlink: 1, Size: int64(h.Length), Chunk: h.ID,
		})
	}
	s.Put(again)
	s.End()
	r, all := checked(t, w, check.Options{ReadData: true})
	if r.Faults != 0 || r.Packs != 1 || r.PacksRead != 1 {
		t.Errorf("%+v\n%s", r, all)
	}
	must(t, w.Cat.EachPack(t.Context(), func(p *catalog.Pack, at int64) error {
		if at == 0 {
			t.Errorf("row %s is unverified", p.ID)
		}
		return nil
	}))
	w.During(pack.Key(b.Packs[0].Key), nil, func() {
		r, all := checked(t, w, check.Options{ReadData: true})
		if r.Faults != 1 || !slices.Equal(paths(all.of(check.Fault)[0]), []string{"/one/a", "/one/b", "/one/newa", "/one/newb"}) {
			t.Errorf("found\n%s", all)
		}
	})
}

func TestReferencesThatLeadNowhereAreFaults(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	s := w.Begin(0, "/one")
	root := s.Root()
	b := &catalog.Batch{Opened: []catalog.Entry{root}}
	s.Files(b, root.Ino, "chunkless", "sound", "segmentless")
	b.Opened[1].Chunk = s.ID()
	b.Chunks[2].Segment = s.ID()
	s.Put(b)
	s.End()
	_, all := checked(t, w, check.Options{ReadData: true})
	var named []string
	for _, f := range all.of(check.Fault) {
		if f.Kind != check.Dangles || f.Scan != 0 {
			t.Errorf("%+v", f)
		}
		named = append(named, paths(f)...)
	}
	slices.Sort(named)
	if !slices.Equal(named, []string{"/one/chunkless", "/one/segmentless"}) {
		t.Errorf("named are %q:\n%s", named, all)
	}
}

// noise is a key that no pack has.
func noise() (id catalog.PackID) {
	_, _ = rand.Read(id[:])
	return id
}
