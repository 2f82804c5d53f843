package catalogtest

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/google/go-cmp/cmp"
)

func testFields(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	root := s.Root()
	chunk := s.Chunks("text")[0]
	content, owner, xattrs := s.ID(), s.Value([]byte("o")), s.Value([]byte("x"))
	s.Batch.Pieces = []catalog.Piece{{Content: content, Offset: 0, Chunk: chunk}}
	want := []catalog.Entry{
		s.Open(catalog.Entry{Dir: root.Ino, Name: "a", Chunk: chunk, Size: 4}),
		s.Open(catalog.Entry{
			Dir: root.Ino, Name: "b", Content: content, Size: math.MaxInt64, Mode: 0o7777, UID: math.MaxUint32, GID: math.MaxUint32 - 1, Owner: owner, Xattrs: xattrs,
			Mtime: math.MinInt64, Ctime: math.MaxInt64, Nlink: math.MaxUint32, Dev: math.MaxUint64, SourceIno: math.MaxUint64 - 1,
			Flags: catalog.Inconsistent | catalog.Unreadable | catalog.Lost,
		}),
		s.Open(catalog.Entry{Dir: root.Ino, Name: "c", Kind: catalog.Symlink, Target: strings.Repeat("\xff", catalog.MaxTarget)}),
		s.Open(catalog.Entry{Dir: root.Ino, Name: "d", Kind: catalog.CharDevice, Rdev: math.MaxUint64}),
		s.Open(catalog.Entry{Dir: root.Ino, Name: "e", Kind: catalog.BlockDevice, Rdev: 1}),
		s.Open(catalog.Entry{Dir: root.Ino, Name: "f", Kind: catalog.FIFO, Mtime: -1}),
		s.Open(catalog.Entry{Dir: root.Ino, Name: "g", Kind: catalog.Socket}),
		s.Open(catalog.Entry{Dir: root.Ino, Name: "h", Kind: catalog.Directory, Mode: 0o1777}),
	}
	s.Finish()
	if diff := cmp.Diff(want, list(t, cat, 0, root.Ino)); diff != "" {
		t.Errorf("List: %s", diff)
	}
	var got []catalog.Entry
	must(t, cat.Current(ctx, []catalog.ID{root.Ino}, func(e *catalog.Entry) error { got = append(got, *e); return nil }))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("Current: %s", diff)
	}
	for _, w := range want {
		byID, err := cat.Entry(ctx, w.ID)
		must(t, err)
		byName, err := cat.Lookup(ctx, 0, root.Ino, w.Name)
		must(t, err)
		if diff := cmp.Diff([]catalog.Entry{w, w}, []catalog.Entry{byID, byName}); diff != "" {
			t.Error(diff)
		}
	}
	for name, get := range map[string]func() (catalog.Entry, error){
		"Root":        func() (catalog.Entry, error) { return cat.Root(ctx, 0) },
		"CurrentRoot": func() (catalog.Entry, error) { return cat.CurrentRoot(ctx, s.Source) },
		"Directory":   func() (catalog.Entry, error) { return cat.Directory(ctx, 0, root.Ino) },
	} {
		got, err := get()
		must(t, err)
		if diff := cmp.Diff(root, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
	_, err := cat.Lookup(ctx, 0, root.Ino, "i")
	wantErr(t, catalog.ErrNotFound, err)
	_, err = cat.Directory(ctx, 0, want[0].Ino) // a file
	wantErr(t, catalog.ErrNotFound, err)
}

func testNames(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "höst\xff", "/root\n\xfe")
	root := s.Root()
	var names []string
	for b := 1; b < 256; b++ {
		if b != '/' {
			names = append(names, string([]byte{byte(b)}), "x"+string([]byte{byte(b), byte(b)})+"x")
		}
	}
	names = slices.DeleteFunc(names, func(n string) bool { return n == "." })
	names = append(names, strings.Repeat("\xff", 255), strings.Repeat("a", 255), "-rf *", "'\"; DROP TABLE entry; --", "NULL", "$1", "?1", "{a}", "a", "a\x01", "A")
	slices.Sort(names)
	names = slices.Compact(names)
	for _, i := range shuffled(len(names)) {
		s.Open(catalog.Entry{Dir: root.Ino, Name: names[i]})
	}
	s.Finish()
	if diff := cmp.Diff(names, Names(t, cat, 0, root.Ino)); diff != "" {
		t.Fatal(diff)
	}
	for _, name := range names {
		got, err := cat.Lookup(ctx, 0, root.Ino, name)
		must(t, err)
		if got.Name != name {
			t.Fatalf("looked %q up and got %q", name, got.Name)
		}
	}
	src, err := cat.FindSource(ctx, "höst\xff", "/root\n\xfe")
	must(t, err)
	if src.ID != s.Source {
		t.Fatalf("source %s", src.ID)
	}
}

// shuffled is 0 to n-1 in an order that is no order.
func shuffled(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	slices.SortFunc(out, func(a, b int) int {
		return strings.Compare(HashOf(fmt.Sprint(a)).String(), HashOf(fmt.Sprint(b)).String())
	})
	return out
}

func list(t testing.TB, cat Catalog, scan int64, dir catalog.ID) []catalog.Entry {
	t.Helper()
	var got []catalog.Entry
	must(t, cat.List(context.Background(), scan, dir, func(e *catalog.Entry) error { got = append(got, *e); return nil }))
	return got
}

func testHardLinks(t *testing.T, e Engine) {
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	root := s.Root()
	dir := s.Open(catalog.Entry{Dir: root.Ino, Name: "dir", Kind: catalog.Directory})
	one := s.Open(catalog.Entry{Dir: root.Ino, Name: "one", Nlink: 2, Dev: 5, SourceIno: 77})
	two := s.Open(catalog.Entry{Dir: dir.Ino, Name: "two", Nlink: 2, Dev: 5, SourceIno: 77, Ino: one.Ino})
	s.Finish()
	var got []catalog.Entry
	must(t, cat.CurrentByInode(context.Background(), s.Source, []catalog.Inode{{Dev: 5, Ino: 77}}, func(e *catalog.Entry) error {
		got = append(got, *e)
		return nil
	}))
	if diff := cmp.Diff([]catalog.Entry{one, two}, got); diff != "" {
		t.Fatal(diff)
	}
}

func testByInode(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	other := Begin(t, cat, "other", "/")
	other.Open(catalog.Entry{Dir: other.Root().Ino, Name: "f", Dev: 1, SourceIno: 1000})
	other.Finish()
	s := Begin(t, cat, "host", "/")
	root := s.Root()
	a := s.Open(catalog.Entry{Dir: root.Ino, Name: "a", Dev: 1, SourceIno: 1000})
	s.Open(catalog.Entry{Dir: root.Ino, Name: "b", Dev: 2, SourceIno: 1000})
	c := s.Open(catalog.Entry{Dir: root.Ino, Name: "c", Dev: math.MaxUint64, SourceIno: math.MaxUint64})
	gone := s.Open(catalog.Entry{Dir: root.Ino, Name: "gone", Dev: 1, SourceIno: 1001})
	s.Finish()
	s = Begin(t, cat, "host", "/")
	s.Close(gone)
	s.Finish()
	var got []catalog.ID
	must(t, cat.CurrentByInode(ctx, s.Source, []catalog.Inode{{Dev: math.MaxUint64, Ino: math.MaxUint64}, {Dev: 1, Ino: 1000}, {Dev: 1, Ino: 1001}, {Dev: 3, Ino: 1000}},
		func(e *catalog.Entry) error {
			got = append(got, e.ID)
			return nil
		}))
	if diff := cmp.Diff([]catalog.ID{c.ID, a.ID}, got); diff != "" {
		t.Fatal(diff)
	}
}

func testCurrentOrder(t *testing.T, e Engine) {
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	root := s.Root()
	var dirs []catalog.ID
	want := map[catalog.ID][]string{}
	for d := range 50 {
		dir := s.Open(catalog.Entry{Dir: root.Ino, Name: fmt.Sprintf("%02d", d), Kind: catalog.Directory})
		dirs = append(dirs, dir.Ino)
		for f := range d {
			name := fmt.Sprintf("%03d", f)
			s.Open(catalog.Entry{Dir: dir.Ino, Name: name})
			want[dir.Ino] = append(want[dir.Ino], name)
		}
	}
	s.Finish()
	var wanted, got []string
	var asked []catalog.ID
	for _, i := range shuffled(len(dirs)) {
		asked = append(asked, dirs[i])
		for _, name := range want[dirs[i]] {
			wanted = append(wanted, fmt.Sprint(dirs[i], name))
		}
	}
	must(t, cat.Current(context.Background(), asked, func(e *catalog.Entry) error {
		got = append(got, fmt.Sprint(e.Dir, e.Name))
		return nil
	}))
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Fatal(diff)
	}
}
