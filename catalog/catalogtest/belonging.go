package catalogtest

import (
	"context"
	"errors"
	"testing"

	"github.com/bus3/bus3/catalog"
)

func wantErr(t testing.TB, want, err error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("got error %v, want %v", err, want)
	}
}

func testEmpty(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	_, err := cat.Repository(ctx)
	wantErr(t, catalog.ErrEmpty, err)
	if n, err := cat.NextScan(ctx); n != 0 || err != nil {
		t.Fatalf("next scan %d, %v", n, err)
	}
	id := catalog.NewID(1, 1)
	_, err = cat.FindSource(ctx, "host", "/")
	wantErr(t, catalog.ErrNotFound, err)
	_, err = cat.NewestScan(ctx, id)
	wantErr(t, catalog.ErrNotFound, err)
	_, err = cat.CurrentRoot(ctx, id)
	wantErr(t, catalog.ErrNotFound, err)
	_, err = cat.Scan(ctx, 0)
	wantErr(t, catalog.ErrNotFound, err)
	_, err = cat.Root(ctx, 0)
	wantErr(t, catalog.ErrNotFound, err)
	_, err = cat.Lookup(ctx, 0, id, "name")
	wantErr(t, catalog.ErrNotFound, err)
	_, err = cat.Entry(ctx, id)
	wantErr(t, catalog.ErrNotFound, err)
	_, err = cat.Directory(ctx, 0, id)
	wantErr(t, catalog.ErrNotFound, err)

	never := func(*catalog.Entry) error { return errors.New("there is an entry") }
	must(t, cat.List(ctx, 0, id, never))
	must(t, cat.Current(ctx, []catalog.ID{id}, never))
	must(t, cat.Current(ctx, nil, never))
	must(t, cat.CurrentByInode(ctx, id, []catalog.Inode{{Dev: 1, Ino: 1}}, never))
	must(t, cat.CurrentByInode(ctx, id, nil, never))
	must(t, cat.Users(ctx, []catalog.ID{id}, never))
	must(t, cat.KnownChunks(ctx, nil, nil))
	must(t, cat.MarkVerified(ctx, nil, 1))
	must(t, cat.Scans(ctx, func(*catalog.Scan) error { return errors.New("there is a scan") }))
	must(t, cat.Dangling(ctx, func(d catalog.Dangling) error { return errors.New(d.String()) }))
}

func testBelonging(t *testing.T, e Engine) {
	ctx := context.Background()
	open := e.New(t)
	cat := open(t, false)
	ours, theirs := catalog.RepositoryID{1, 2, 15: 3}, catalog.RepositoryID{9}
	must(t, cat.Claim(ctx, ours))
	must(t, cat.Claim(ctx, ours))
	wantErr(t, catalog.ErrOtherRepository, cat.Claim(ctx, theirs))
	if id, err := open(t, false).Repository(ctx); id != ours || err != nil {
		t.Fatalf("belongs to %s, %v", id, err)
	}

	s := Begin(t, cat, "host", "/")
	root := s.Root()
	file := s.Open(catalog.Entry{Dir: root.Ino, Name: "f", Chunk: s.Chunks("text")[0]})
	s.Value([]byte("value"))
	s.Batch.Pieces = []catalog.Piece{{Content: s.ID(), Chunk: file.Chunk}}
	s.Batch.Problems = []catalog.Problem{{Path: "/x", Message: "bad"}}
	s.Finish()
	must(t, cat.Reset(ctx))
	_, err := cat.Repository(ctx)
	wantErr(t, catalog.ErrEmpty, err)
	_, err = cat.FindSource(ctx, "host", "/")
	wantErr(t, catalog.ErrNotFound, err)
	_, err = cat.Entry(ctx, file.ID)
	wantErr(t, catalog.ErrNotFound, err)
	must(t, cat.Problems(ctx, 0, func(*catalog.Problem) error { return errors.New("there is a problem") }))
	must(t, cat.EachPack(ctx, func(*catalog.Pack, int64) error { return errors.New("there is a pack") }))
	must(t, cat.Claim(ctx, theirs))
}

func testReadOnly(t *testing.T, e Engine) {
	ctx := context.Background()
	open := e.New(t)
	cat := open(t, false)
	must(t, cat.Claim(ctx, catalog.RepositoryID{1}))
	s := Begin(t, cat, "host", "/")
	root := s.Root()
	s.Apply()

	ro := open(t, true)
	s.Open(catalog.Entry{Dir: root.Ino, Name: "later"})
	s.Finish() // by the other handle, while ro is open
	if names := Names(t, ro, 0, root.Ino); len(names) != 1 || names[0] != "later" {
		t.Fatalf("listed %q", names)
	}
	b := BeginBatch(t, cat, "host", "/")
	if err := ro.Apply(ctx, b); err == nil {
		t.Fatal("a catalog that is open for reading applied a batch")
	}
	if err := ro.Reset(ctx); err == nil {
		t.Fatal("a catalog that is open for reading was emptied")
	}
	if _, err := cat.Scan(ctx, b.Scan); !errors.Is(err, catalog.ErrNotFound) {
		t.Fatal("it wrote")
	}
}

func testLock(t *testing.T, e Engine) {
	ctx := context.Background()
	open := e.New(t)
	one, two := open(t, false), open(t, false)
	l, err := one.LockSource(ctx, "host", "/")
	must(t, err)
	_, err = two.LockSource(ctx, "host", "/")
	wantErr(t, catalog.ErrLocked, err)
	_, err = one.LockSource(ctx, "host", "/")
	wantErr(t, catalog.ErrLocked, err)
	for _, other := range [][2]string{{"host", "/x"}, {"other", "/"}} {
		o, err := two.LockSource(ctx, other[0], other[1])
		must(t, err)
		must(t, o.Release())
	}
	must(t, l.Check(ctx))
	must(t, l.Release())
	must(t, l.Release())
	if err := l.Check(ctx); err == nil {
		t.Fatal("a released lock is held")
	}
	l, err = two.LockSource(ctx, "host", "/")
	must(t, err)
	must(t, l.Check(ctx))
	must(t, l.Release())
}
