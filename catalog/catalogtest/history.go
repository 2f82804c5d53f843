package catalogtest

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/google/go-cmp/cmp"
)

func testHistory(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	root := s.Root()
	kept := s.Open(catalog.Entry{Dir: root.Ino, Name: "kept"})
	old := s.Open(catalog.Entry{Dir: root.Ino, Name: "changes", Size: 1})
	gone := s.Open(catalog.Entry{Dir: root.Ino, Name: "gone"})
	s.Finish()

	Begin(t, cat, "other", "/").Finish() // scan 1 is somebody else's

	s = Begin(t, cat, "host", "/")
	s.Close(old)
	changed := s.Open(catalog.Entry{Dir: root.Ino, Name: "changes", Size: 2, Ino: old.Ino})
	s.Close(gone)
	s.Close(root)
	root2 := s.Open(catalog.Entry{Kind: catalog.Directory, Ino: root.Ino, Mode: 0o700})
	s.Finish()
	old.Last, gone.Last, root.Last = 1, 1, 1

	s = Begin(t, cat, "host", "/")
	s.CloseAt(changed, 2)
	again := s.Open(catalog.Entry{Dir: root.Ino, Name: "gone"})
	s.Finish()
	changed.Last = 2

	for scan, want := range map[int64][]catalog.Entry{0: {old, gone, kept}, 2: {changed, kept}, 3: {again, kept}} {
		if diff := cmp.Diff(want, list(t, cat, scan, root.Ino)); diff != "" {
			t.Errorf("scan %d: %s", scan, diff)
		}
	}
	for scan, want := range map[int64]catalog.Entry{0: root, 2: root2, 3: root2} {
		byScan, err := cat.Root(ctx, scan)
		must(t, err)
		byIno, err := cat.Directory(ctx, scan, root.Ino)
		must(t, err)
		if diff := cmp.Diff([]catalog.Entry{want, want}, []catalog.Entry{byScan, byIno}); diff != "" {
			t.Errorf("root of scan %d: %s", scan, diff)
		}
	}
	if got, err := cat.Lookup(ctx, 0, root.Ino, "changes"); err != nil || got != old {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := cat.Lookup(ctx, 2, root.Ino, "changes"); err != nil || got != changed {
		t.Errorf("%+v, %v", got, err)
	}
	_, err := cat.Lookup(ctx, 3, root.Ino, "changes")
	wantErr(t, catalog.ErrNotFound, err)
	_, err = cat.Root(ctx, 1) // which has none
	wantErr(t, catalog.ErrNotFound, err)
}

func testMove(t *testing.T, e Engine) {
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	root := s.Root()
	dir := s.Open(catalog.Entry{Dir: root.Ino, Name: "before", Kind: catalog.Directory})
	s.Open(catalog.Entry{Dir: dir.Ino, Name: "file"})
	s.Finish()
	s = Begin(t, cat, "host", "/")
	s.Close(dir)
	s.Open(catalog.Entry{Dir: root.Ino, Name: "after", Kind: catalog.Directory, Ino: dir.Ino})
	s.Finish()
	for scan, name := range []string{"before", "after"} {
		if diff := cmp.Diff([]string{name}, Names(t, cat, int64(scan), root.Ino)); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff([]string{"file"}, Names(t, cat, int64(scan), dir.Ino)); diff != "" {
			t.Error(diff)
		}
		got, err := cat.Directory(context.Background(), int64(scan), dir.Ino)
		must(t, err)
		if got.Name != name {
			t.Errorf("in scan %d it is %q", scan, got.Name)
		}
	}
}

// An interrupted scan opened an entry, and the same scan, or the first part after it, found it to be otherwise.
func testNeverInAScan(t *testing.T, e Engine) {
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	root := s.Root()
	wrong := s.Open(catalog.Entry{Dir: root.Ino, Name: "f", Size: 1})
	s.Apply()
	s.CloseAt(wrong, -1)
	right := s.Open(catalog.Entry{Dir: root.Ino, Name: "f", Size: 2})
	s.Finish()
	if diff := cmp.Diff([]catalog.Entry{right}, list(t, cat, 0, root.Ino)); diff != "" {
		t.Error(diff)
	}
	_, err := cat.Entry(context.Background(), wrong.ID)
	wantErr(t, catalog.ErrNotFound, err)
}

// Random changes over many scans, and all that was remembered of each by a map.
func testAnyHistory(t *testing.T, e Engine) {
	const scans, dirs, perScan = 40, 4, 30
	rnd := rand.New(rand.NewPCG(1, 2))
	cat := e.New(t)(t, false)
	now := map[string]catalog.Entry{} // what is open, by directory and name
	then := make([]map[string]catalog.ID, 0, scans)
	var parents []catalog.ID
	for scan := range scans {
		s := Begin(t, cat, "host", "/")
		if scan == 0 {
			root := s.Root()
			for d := range dirs {
				parents = append(parents, s.Open(catalog.Entry{Dir: root.Ino, Name: fmt.Sprint(d), Kind: catalog.Directory}).Ino)
			}
		}
		touched := map[string]bool{}
		for range perScan {
			dir, name := parents[rnd.IntN(dirs)], fmt.Sprintf("%02d", rnd.IntN(50))
			key := fmt.Sprint(dir, "/", name)
			if touched[key] {
				continue
			}
			touched[key] = true
			was, is := now[key]
			if is {
				s.Close(was)
				delete(now, key)
			}
			if !is || rnd.IntN(2) == 0 {
				now[key] = s.Open(catalog.Entry{Dir: dir, Name: name, Ino: was.Ino, Size: int64(scan)})
			}
			if rnd.IntN(10) == 0 {
				s.Apply()
			}
		}
		s.Finish()
		seen := map[string]catalog.ID{}
		for key, e := range now {
			seen[key] = e.ID
		}
		then = append(then, seen)
	}
	for scan, want := range then {
		got := map[string]catalog.ID{}
		for _, dir := range parents {
			entries := list(t, cat, int64(scan), dir)
			if !slices.IsSortedFunc(entries, func(a, b catalog.Entry) int { return cmpString(a.Name, b.Name) }) {
				t.Fatalf("scan %d: directory %s is not sorted", scan, dir)
			}
			for _, e := range entries {
				got[fmt.Sprint(dir, "/", e.Name)] = e.ID
				if byName, err := cat.Lookup(context.Background(), int64(scan), dir, e.Name); err != nil || byName != e {
					t.Fatalf("scan %d, %q: %+v, %v", scan, e.Name, byName, err)
				}
			}
		}
		if !maps.Equal(want, got) {
			t.Fatalf("scan %d: %s", scan, cmp.Diff(want, got))
		}
	}
}

func cmpString(a, b string) int { return slices.Compare([]byte(a), []byte(b)) }
