package catalogtest

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/bus3/bus3/catalog"
	"golang.org/x/sync/errgroup"
)

func testIdempotent(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	begin := BeginBatch(t, cat, "host", "/")
	s := Continue(t, cat, begin)
	root := s.Root()
	file := s.Open(catalog.Entry{Dir: root.Ino, Name: "f"})
	one := s.Take()
	s.CloseAt(file, -1)
	s.Batch.End = &catalog.End{Finished: 1, State: catalog.Complete}
	two := s.Take()
	for _, b := range []*catalog.Batch{begin, begin, one, one, begin, two, one, two, begin} {
		must(t, cat.Apply(ctx, b))
	}
	got, err := cat.Scan(ctx, 0)
	must(t, err)
	if got.Parts != 3 || got.Digest != two.Digest || got.State != catalog.Complete {
		t.Fatalf("%+v", got)
	}
	if names := Names(t, cat, 0, root.Ino); len(names) != 0 {
		t.Fatalf("a closed entry came back: %q", names)
	}
}

func testBehind(t *testing.T, e Engine) {
	ctx := context.Background()
	full, late := e.New(t)(t, false), e.New(t)(t, false)
	var log []*catalog.Batch
	for range 2 {
		begin := BeginBatch(t, full, "host", "/")
		s := Continue(t, full, begin)
		s.Root()
		one := s.Take()
		s.Batch.End = &catalog.End{Finished: 1, State: catalog.Complete}
		two := s.Take()
		for _, b := range []*catalog.Batch{begin, one, two} {
			must(t, full.Apply(ctx, b))
			log = append(log, b)
		}
	}
	for next, b := range log {
		for _, before := range log[:next] {
			must(t, late.Apply(ctx, before))
		}
		for _, after := range log[next+1:] {
			wantErr(t, catalog.ErrBehind, late.Apply(ctx, after))
		}
		must(t, late.Apply(ctx, b))
	}
	got, err := late.NewestScan(ctx, log[0].Begin.Source.ID)
	must(t, err)
	if got.Number != 1 || got.Parts != 3 {
		t.Fatalf("%+v", got)
	}
}

func testSuperseded(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	lost := Begin(t, cat, "host", "/")
	lost.Root()
	lost.Apply()
	lost.Root()
	late := lost.Take()
	lost.Root()
	later := lost.Take()

	next := BeginBatch(t, cat, "host", "/")
	older := *next // of a run that knew less
	olderBegin := *next.Begin
	older.Begin, older.Scan, older.Digest = &olderBegin, 2, HashOf("older")
	must(t, cat.Apply(ctx, next))
	wantErr(t, catalog.ErrSuperseded, cat.Apply(ctx, late))
	wantErr(t, catalog.ErrSuperseded, cat.Apply(ctx, later))
	wantErr(t, catalog.ErrSuperseded, cat.Apply(ctx, &older))

	stranger := BeginBatch(t, cat, "host", "/") // knew not even the source
	stranger.Begin.Source.ID = catalog.NewID(stranger.Scan, 1)
	stranger.Begin.After, stranger.Begin.AfterParts, stranger.Begin.AfterDigest = -1, 0, catalog.Hash{}
	wantErr(t, catalog.ErrSuperseded, cat.Apply(ctx, stranger))

	Continue(t, cat, next).Apply()
	short := BeginBatch(t, cat, "host", "/") // builds upon fewer parts than are applied
	short.Begin.AfterParts--
	wantErr(t, catalog.ErrDiverged, cat.Apply(ctx, short))
	short.Begin.AfterParts += 2
	wantErr(t, catalog.ErrBehind, cat.Apply(ctx, short))
	short.Begin.AfterParts--
	short.Begin.AfterDigest = HashOf("another part")
	wantErr(t, catalog.ErrDiverged, cat.Apply(ctx, short))
	wantErr(t, catalog.ErrNotFound, second(cat.Scan(ctx, short.Scan)))
	must(t, cat.Apply(ctx, BeginBatch(t, cat, "host", "/")))
}

func second[T any](_ T, err error) error { return err }

func testInvalid(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	begin := BeginBatch(t, cat, "host", "/")
	must(t, cat.Apply(ctx, begin))
	other := *begin
	other.Digest = HashOf("another scan of that number")
	wantErr(t, catalog.ErrInvalid, cat.Apply(ctx, &other))
	otherSource := *begin.Begin
	otherSource.Source = catalog.Source{ID: catalog.NewID(0, 9), Host: "other", Root: "/"}
	wantErr(t, catalog.ErrInvalid, cat.Apply(ctx, &catalog.Batch{Scan: 0, Begin: &otherSource}))
	renamed := *BeginBatch(t, cat, "host", "/").Begin
	renamed.Source.Host = "other"
	wantErr(t, catalog.ErrInvalid, cat.Apply(ctx, &catalog.Batch{Scan: 1, Begin: &renamed}))

	s := Continue(t, cat, begin)
	s.Open(catalog.Entry{Dir: s.ID(), Name: "a/b"})
	wantErr(t, catalog.ErrInvalid, cat.Apply(ctx, s.Take()))
	s = Continue(t, cat, begin)
	s.Source = catalog.NewID(0, 77)
	s.Root()
	wantErr(t, catalog.ErrInvalid, cat.Apply(ctx, s.Take()))
	s = Continue(t, cat, begin)
	s.Finish()
	s.Root()
	wantErr(t, catalog.ErrInvalid, cat.Apply(ctx, s.Take())) // it has ended
}

func testAtomic(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	root := s.Root()
	kept := s.Open(catalog.Entry{Dir: root.Ino, Name: "kept"})
	s.Apply()
	before := s.counter
	b := Continue(t, cat, &catalog.Batch{Scan: s.Number, Begin: &catalog.Begin{Source: catalog.Source{ID: s.Source}}})
	b.part, b.counter = s.part, s.counter
	chunk := b.Chunks("text")[0]
	b.Open(catalog.Entry{Dir: root.Ino, Name: "new", Chunk: chunk})
	b.CloseAt(kept, -1)
	b.Batch.Opened = append(b.Batch.Opened, kept) // whose ID is taken
	wantErr(t, catalog.ErrInvalid, cat.Apply(ctx, b.Take()))
	if names := Names(t, cat, 0, root.Ino); len(names) != 1 || names[0] != "kept" {
		t.Fatalf("listed %q", names)
	}
	ids := make([]catalog.ID, 1)
	must(t, cat.KnownChunks(ctx, []catalog.Hash{HashOf("text")}, ids))
	if ids[0] != 0 {
		t.Fatal("a chunk of the refused batch is known")
	}
	s.counter = before
	s.Finish() // nothing is in the way
}

func testSamePartAtOnce(t *testing.T, e Engine) {
	open := e.New(t)
	cats := []Catalog{open(t, false), open(t, false), open(t, false)}
	begin := BeginBatch(t, cats[0], "host", "/")
	s := Continue(t, cats[0], begin)
	root := s.Root()
	log := []*catalog.Batch{begin, s.Take()}
	for i := range 20 {
		s.Open(catalog.Entry{Dir: root.Ino, Name: fmt.Sprint(i)})
		log = append(log, s.Take())
	}
	g, ctx := errgroup.WithContext(context.Background())
	for _, cat := range cats {
		for range 2 {
			g.Go(func() error {
				for _, b := range log {
					if err := cat.Apply(ctx, b); err != nil {
						return err
					}
				}
				return nil
			})
		}
	}
	must(t, g.Wait())
	if names := Names(t, cats[1], 0, root.Ino); len(names) != 20 {
		t.Fatalf("%d names", len(names))
	}
}

func testSourcesAtOnce(t *testing.T, e Engine) {
	const hosts, parts, files = 8, 5, 100
	open := e.New(t)
	cats := []Catalog{open(t, false), open(t, false)}
	var scanners []*Scanner
	for h := range hosts {
		scanners = append(scanners, Begin(t, cats[0], fmt.Sprint("host ", h), "/"))
	}
	roots := make([]catalog.ID, hosts)
	g, ctx := errgroup.WithContext(context.Background())
	for h, s := range scanners {
		cat := cats[h%len(cats)]
		roots[h] = s.Root().Ino
		g.Go(func() error {
			for p := range parts {
				for _, id := range s.Chunks(fmt.Sprint(h, p), fmt.Sprint("same ", p)) {
					s.Open(catalog.Entry{Dir: roots[h], Name: fmt.Sprint("chunk ", id), Chunk: id})
				}
				for f := range files {
					s.Open(catalog.Entry{Dir: roots[h], Name: fmt.Sprintf("%d %d", p, f)})
				}
				if err := cat.Apply(ctx, s.Take()); err != nil {
					return err
				}
			}
			return nil
		})
	}
	must(t, g.Wait())
	for h, s := range scanners {
		if n := len(Names(t, cats[0], s.Number, roots[h])); n != parts*(files+2) {
			t.Errorf("host %d has %d names", h, n)
		}
	}
}

// Two catalogs' worth of writers begin the same source at once, under different numbers: one of them wins.
func testSameBeginAtOnce(t *testing.T, e Engine) {
	open := e.New(t)
	cats := []Catalog{open(t, false), open(t, false)}
	results := make([]error, 4)
	var g errgroup.Group
	for i := range results {
		b := &catalog.Batch{Scan: int64(i), Digest: digestOf(int64(i), 0), Begin: &catalog.Begin{
			Source: catalog.Source{ID: catalog.NewID(int64(i), 1), Host: "host", Root: "/"}, Started: 1, Program: "p", After: -1,
		}}
		g.Go(func() error {
			results[i] = cats[i%2].Apply(context.Background(), b)
			return nil
		})
	}
	must(t, g.Wait())
	won := 0
	for _, err := range results {
		switch {
		case err == nil:
			won++
		case !errors.Is(err, catalog.ErrSuperseded) && !errors.Is(err, catalog.ErrDiverged):
			t.Error(err)
		}
	}
	if won != 1 {
		t.Fatalf("%d of them began the source", won)
	}
}

func testOtherHandles(t *testing.T, e Engine) {
	ctx := context.Background()
	open := e.New(t)
	writer, reader := open(t, false), open(t, false)
	s := Begin(t, writer, "host", "/")
	root := s.Root()
	s.Apply()
	for i := range 20 {
		s.Open(catalog.Entry{Dir: root.Ino, Name: fmt.Sprintf("%03d", i)})
		s.Apply()
		if n := len(Names(t, reader, 0, root.Ino)); n != i+1 {
			t.Fatalf("%d of %d names are seen", n, i+1)
		}
		if got, err := reader.Scan(ctx, 0); err != nil || got.Parts != int64(i)+3 {
			t.Fatalf("%+v, %v", got, err)
		}
	}
}
