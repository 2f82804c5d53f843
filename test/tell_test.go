package test

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/postgres"
	"github.com/bus3/bus3/catalog/sqlite"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
	"github.com/bus3/bus3/test/quick"
)

// told is what a catalog is asked so that it tells all it knows.
type told interface {
	Scans(ctx context.Context, fn func(*catalog.Scan) error) error
	Problems(ctx context.Context, scan int64, fn func(*catalog.Problem) error) error
	Root(ctx context.Context, scan int64) (catalog.Entry, error)
	List(ctx context.Context, scan int64, dir catalog.ID, fn func(*catalog.Entry) error) error
	Values(ctx context.Context, ids []catalog.ID, fn func(*catalog.Value) error) error
	ChunkPlaces(ctx context.Context, ids []catalog.ID, fn func(*catalog.Place) error) error
	Pieces(ctx context.Context, content catalog.ID, from int64, limit int, fn func(*catalog.PlacedPiece) error) error
	EachPack(ctx context.Context, fn func(p *catalog.Pack, verified int64) error) error
	EachPlace(ctx context.Context, pack catalog.ID, fn func(*catalog.Place) error) error
	Dangling(ctx context.Context, fn func(catalog.Dangling) error) error
}

// account is all that a catalog tells.
type account struct {
	Scans []catalog.Scan
	Trees map[int64][]string // by scan, a line for each entry, with what it refers to, down to the places of its chunks
	Ends  map[int64][]string // by scan, until when each entry lasts
	Packs []string           // with what is in each of them
	Wrong []string           // what dangles, and chunks that are stored twice
}

// tell asks a catalog for all it knows.
func tell(t *testing.T, cat told) account {
	t.Helper()
	a := &teller{told: cat, t: t, all: account{Trees: map[int64][]string{}, Ends: map[int64][]string{}}}
	a.must(cat.Scans(t.Context(), func(s *catalog.Scan) error {
		a.all.Scans = append(a.all.Scans, *s)
		return nil
	}))
	for i := range a.all.Scans {
		a.scan(a.all.Scans[i].Number)
	}
	a.packs()
	a.must(cat.Dangling(t.Context(), func(d catalog.Dangling) error {
		a.all.Wrong = append(a.all.Wrong, d.String())
		return nil
	}))
	return a.all
}

type teller struct {
	told
	t   *testing.T
	all account
}

func (a *teller) must(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *teller) scan(scan int64) {
	a.must(a.Problems(a.t.Context(), scan, func(p *catalog.Problem) error {
		a.line(scan, "problem %+v", *p)
		return nil
	}))
	root, err := a.Root(a.t.Context(), scan)
	if err != nil { // a scan may have been interrupted before it had one
		a.line(scan, "no root")
		return
	}
	refers := map[catalog.ID]string{}
	a.entry(scan, "", &root, refers)
	a.references(scan, refers)
}

func (a *teller) line(scan int64, format string, args ...any) {
	a.all.Trees[scan] = append(a.all.Trees[scan], fmt.Sprintf(format, args...))
}

// entry tells of an entry and of all below it, and takes down what they refer to.
func (a *teller) entry(scan int64, path string, e *catalog.Entry, refers map[catalog.ID]string) {
	ctx := a.t.Context()
	a.all.Ends[scan] = append(a.all.Ends[scan], fmt.Sprintf("%q until %d", path, e.Last))
	shown := *e
	shown.Last = 0
	a.line(scan, "%q %+v", path, shown)
	refers[e.Owner], refers[e.Xattrs], refers[e.Chunk] = "value", "value", "chunk"
	if e.Content != 0 {
		a.must(a.Pieces(ctx, e.Content, 0, 1<<20, func(p *catalog.PlacedPiece) error {
			a.line(scan, "%q piece %+v", path, *p)
			return nil
		}))
	}
	if e.Kind != catalog.Directory {
		return
	}
	var below []catalog.Entry
	a.must(a.List(ctx, scan, e.Ino, func(e *catalog.Entry) error {
		below = append(below, *e)
		return nil
	}))
	for i := range below {
		a.entry(scan, path+"/"+below[i].Name, &below[i], refers)
	}
}

// references tells what entries refer to.
func (a *teller) references(scan int64, refers map[catalog.ID]string) {
	var lines []string
	ids := map[string][]catalog.ID{}
	for id, kind := range refers {
		if id != 0 {
			ids[kind] = append(ids[kind], id)
		}
	}
	a.must(a.Values(a.t.Context(), ids["value"], func(v *catalog.Value) error {
		lines = append(lines, fmt.Sprintf("value %s: %x", v.ID, v.Bytes))
		return nil
	}))
	a.must(a.ChunkPlaces(a.t.Context(), ids["chunk"], func(p *catalog.Place) error {
		lines = append(lines, fmt.Sprintf("chunk %+v", *p))
		return nil
	}))
	if len(lines) != len(ids["value"])+len(ids["chunk"]) {
		a.all.Wrong = append(a.all.Wrong, fmt.Sprintf("scan %d refers to %d values and %d chunks, and %d are there", scan, len(ids["value"]), len(ids["chunk"]), len(lines)))
	}
	slices.Sort(lines)
	a.all.Trees[scan] = append(a.all.Trees[scan], lines...)
}

func (a *teller) packs() {
	var all []catalog.Pack
	a.must(a.EachPack(a.t.Context(), func(p *catalog.Pack, _ int64) error {
		all = append(all, *p)
		return nil
	}))
	seen := map[catalog.Hash]bool{}
	for _, p := range all {
		a.all.Packs = append(a.all.Packs, fmt.Sprintf("pack %+v", p))
		a.must(a.EachPlace(a.t.Context(), p.ID, func(p *catalog.Place) error {
			a.all.Packs = append(a.all.Packs, fmt.Sprintf("%+v", *p))
			if seen[p.Hash] {
				a.all.Wrong = append(a.all.Wrong, fmt.Sprintf("chunk %s is stored twice", p.Hash))
			}
			seen[p.Hash] = true
			return nil
		}))
	}
	slices.Sort(a.all.Packs)
}

// opened is the rig's repository, read by the test itself: objects of an S3 server, too, are files.
type opened struct {
	store s3store.Store
	repo  *repository.Repository
}

// open opens the rig's repository with a key file.
func (r *rig) open(key string) opened {
	r.t.Helper()
	store, err := s3store.Open(r.t.Context(), (&url.URL{Scheme: "file", Path: r.objects}).String(), s3store.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	unlock, err := repository.UnlockFile([]byte(read(r.t, key)), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	repo, err := repository.Open(r.t.Context(), store, unlock...)
	if err != nil {
		r.t.Fatal(err)
	}
	return opened{store, repo}
}

// catalog is what the rig's own catalog tells.
func (r *rig) catalog() account {
	r.t.Helper()
	raw := r.setting("BUS3_CATALOG")
	if path, ok := strings.CutPrefix(raw, "sqlite://"); ok {
		return tellSQLite(r.t, path)
	}
	cat, err := postgres.Open(r.t.Context(), raw, postgres.Options{ReadOnly: true})
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = cat.Close() }()
	return tell(r.t, cat)
}

func tellSQLite(t *testing.T, path string) account {
	t.Helper()
	cat, err := sqlite.Open(t.Context(), path, sqlite.Options{ReadOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cat.Close() }()
	return tell(t, cat)
}

// rebuilt is what a new catalog tells that is filled from the store alone.
func (o opened) rebuilt(t *testing.T) account {
	t.Helper()
	cat, err := sqlite.Open(t.Context(), filepath.Join(quick.Dir(t), "rebuilt.db"), sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cat.Close() }()
	if _, err := rebuild.Sync(t.Context(), cat, o.store, o.repo, rebuild.Options{}); err != nil {
		t.Fatal(err)
	}
	return tell(t, cat)
}

// agree fails the test if two catalogs do not tell the same, or tell what cannot be.
func agree(t *testing.T, what string, want, got account) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s tells something else:\n%.4000s", what, diff)
	}
	if len(got.Wrong) > 0 {
		t.Errorf("%s: %q", what, got.Wrong)
	}
}
