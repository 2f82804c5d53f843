package catalogtest

import (
	"context"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/google/go-cmp/cmp"
)

// Closings were lost: where a later entry has the name, the earlier one ends before it. What has a name to itself stays.
func testMend(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	root := s.Root()
	dir := s.Open(catalog.Entry{Dir: root.Ino, Name: "d", Kind: catalog.Directory})
	kept := s.Open(catalog.Entry{Dir: root.Ino, Name: "kept"})
	changed := s.Open(catalog.Entry{Dir: root.Ino, Name: "changed"})
	ended := s.Open(catalog.Entry{Dir: root.Ino, Name: "ended"})
	other := s.Open(catalog.Entry{Dir: dir.Ino, Name: "changed"}) // the same name elsewhere
	s.Finish()
	o := Begin(t, cat, "other", "/")
	foreign := o.Root()
	o.Finish()

	s = Begin(t, cat, "host", "/") // scan 2
	root2 := s.Open(catalog.Entry{Kind: catalog.Directory, Ino: root.Ino, Mode: 0o700})
	changed2 := s.Open(catalog.Entry{Dir: root.Ino, Name: "changed"})
	s.Close(ended)
	ended2 := s.Open(catalog.Entry{Dir: root.Ino, Name: "ended"})
	s.Finish()
	s = Begin(t, cat, "host", "/") // scan 3
	s.CloseAt(changed2, 2)
	changed3 := s.Open(catalog.Entry{Dir: root.Ino, Name: "changed"})
	twice := s.Open(catalog.Entry{Dir: root.Ino, Name: "twice"})
	again := s.Open(catalog.Entry{Dir: root.Ino, Name: "twice"}) // the same scan thought better of it
	s.Finish()

	n, err := cat.Mend(ctx, s.Source)
	must(t, err)
	if n != 3 {
		t.Errorf("%d entries were ended", n)
	}
	root.Last, changed.Last, ended.Last, changed2.Last = 1, 1, 1, 2
	for scan, want := range map[int64][]catalog.Entry{
		0: {changed, dir, ended, kept},
		2: {changed2, dir, ended2, kept},
		3: {changed3, dir, ended2, kept, again},
	} {
		if diff := cmp.Diff(want, list(t, cat, scan, root.Ino)); diff != "" {
			t.Errorf("scan %d: %s", scan, diff)
		}
	}
	for scan, want := range map[int64]catalog.Entry{0: root, 1: foreign, 3: root2} {
		if got, err := cat.Root(ctx, scan); err != nil || got != want {
			t.Errorf("the root of scan %d is %+v, %v", scan, got, err)
		}
	}
	if diff := cmp.Diff([]catalog.Entry{other}, list(t, cat, 3, dir.Ino)); diff != "" {
		t.Error(diff)
	}
	_, err = cat.Entry(ctx, twice.ID)
	wantErr(t, catalog.ErrNotFound, err)
	if n, err := cat.Mend(ctx, s.Source); n != 0 || err != nil {
		t.Errorf("mended again: %d, %v", n, err)
	}
}

func testSettle(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	filling, whole, other := catalog.RepositoryID{1}, catalog.RepositoryID{2}, catalog.RepositoryID{3}
	wantErr(t, catalog.ErrEmpty, cat.Settle(ctx, filling, whole))
	must(t, cat.Claim(ctx, filling))
	wantErr(t, catalog.ErrOtherRepository, cat.Settle(ctx, other, whole))
	for range 2 {
		must(t, cat.Settle(ctx, filling, whole))
		if id, err := cat.Repository(ctx); id != whole || err != nil {
			t.Errorf("it belongs to %s, %v", id, err)
		}
	}
}
