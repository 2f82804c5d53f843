package backup

import (
	"fmt"
	"os"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

// again backs up once more and demands that scan is what is on disk, and the catalog is wholesome.
func (w *world) again(change ...func(*Options)) *Summary {
	w.t.Helper()
	want := onDisk(w.t, w.root)
	s := w.backup(change...)
	w.same(s.Scan, want)
	w.wholesome(s.Scan)
	return s
}

func TestRenamedDirectoryIsNotRead(t *testing.T) {
	t.Parallel()
	w := newQuickWorld(t)
	for i := range 1000 {
		w.write(fmt.Sprintf("old/d%d/f%d", i%7, i), fmt.Sprint(i))
	}
	w.again()
	w.rename("old", "new")
	s := w.again()
	if c := s.Counts; c.BytesRead != 0 || c.EntriesOpened+c.EntriesClosed >= 10 || c.BytesStored != 0 {
		t.Fatalf("%+v", c)
	}
}

func TestMovedFileKeepsItsIdentity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("a/file", "content")
	w.mkdir("b")
	must(t, os.Chtimes(w.path("a/file"), nanos(1e18+5), nanos(1e18+5)))
	before := w.lookup(w.again().Scan, "a", "file")
	w.rename("a/file", "b/other")
	s := w.again()
	if s.Counts.BytesNew != 0 || s.Counts.BytesStored != 0 {
		t.Fatalf("it was stored again: %+v", s.Counts)
	}
	if after := w.lookup(s.Scan, "b", "other"); after.Ino != before.Ino || after.Chunk != before.Chunk {
		t.Fatalf("it was %s with %s, and is %s with %s", before.Ino, before.Chunk, after.Ino, after.Chunk)
	}
}

// Programs that write tags into files keep the size and set the time back, and then rename the file.
func TestMovedFileThatWasWrittenIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("a", "artist: none")
	must(t, os.Chtimes(w.path("a"), nanos(1e18+5), nanos(1e18+5)))
	w.again()
	f, err := os.OpenFile(w.path("a"), os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString("artist: some")
	must(t, err)
	must(t, f.Close())
	must(t, os.Chtimes(w.path("a"), nanos(1e18+5), nanos(1e18+5)))
	w.rename("a", "b")
	w.again()
}

// What was listed before a file changed is read again; its names still have the same content, and so they are links.
func TestLinksOfAFileThatChangesShareItsContent(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("a", string(random(3<<20, 1)))
	w.link("a", "b")
	w.link("a", "c")
	w.again()
	w.write("a", string(random(3<<20, 2)))
	cat := &busy{Catalog: w.cat, current: sync.OnceFunc(func() {
		w.write("a", string(random(3<<20, 3)))
	})}
	s, err := Run(t.Context(), cat, w.store, w.repo, w.options())
	must(t, err)
	w.same(s.Scan, onDisk(t, w.root))
	a := w.lookup(s.Scan, "", "a")
	for _, name := range []string{"b", "c"} {
		if e := w.lookup(s.Scan, "", name); a.Content == 0 || e.Content != a.Content || e.Ino != a.Ino {
			t.Errorf("a is %s with content %s, %s is %s with %s", a.Ino, a.Content, name, e.Ino, e.Content)
		}
	}
}

// One name was listed before the file got the other, and so is not backed up with it; the next run brings them together.
func TestLinkMadeWhileItsDirectoryWasListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("a", string(random(3<<20, 1)))
	w.mkdir("dir")
	w.again()
	cat := &busy{Catalog: w.cat, current: sync.OnceFunc(func() { w.link("a", "dir/b") })}
	_, err := Run(t.Context(), cat, w.store, w.repo, w.options())
	must(t, err)
	s := w.again()
	a, b := w.lookup(s.Scan, "", "a"), w.lookup(s.Scan, "dir", "b")
	if a.Content == 0 || a.Content != b.Content || a.Ino != b.Ino || a.Nlink != 2 || b.Nlink != 2 {
		t.Errorf("a is %s with content %s, b is %s with %s", a.Ino, a.Content, b.Ino, b.Content)
	}
}

// An inode that is used again can have the size of the file that it was before, and programs that unpack archives
// set times to whole seconds.
func TestReusedInodeWithAnUnpackedFileIsRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("a", "one")
	must(t, os.Chtimes(w.path("a"), nanos(1e18), nanos(1e18)))
	w.again()
	w.rename("a", "b") // the same inode, and other data
	w.write("b", "two")
	must(t, os.Chtimes(w.path("b"), nanos(1e18), nanos(1e18)))
	w.again()
}

func TestExchangedNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("a/one", "1")
	w.write("b/two", "2")
	w.write("x", "file x")
	w.write("y", "file y, longer")
	w.again()
	exchange := func(a, b string) {
		must(t, unix.Renameat2(unix.AT_FDCWD, w.path(a), unix.AT_FDCWD, w.path(b), unix.RENAME_EXCHANGE))
	}
	exchange("a", "b")
	exchange("x", "y")
	if s := w.again(); s.Counts.BytesRead > 20 {
		t.Fatalf("%d bytes were read", s.Counts.BytesRead)
	}
	exchange("a", "x")
	w.again()
	exchange("a", "x")
	w.again()
}

func TestDirectoryTakesThePlaceOfOthers(t *testing.T) {
	steps := map[string]func(w *world){
		"moved into its own child's place": func(w *world) { w.rename("a/b", "c"); w.rename("a", "c/a") },
		"replaced by a moved one":          func(w *world) { w.remove("a"); w.rename("z", "a") },
		"replaced by a new one":            func(w *world) { w.remove("a"); w.write("a/new", "new") },
		"moved, and made again":            func(w *world) { w.rename("a", "q"); w.write("a/f", "another") },
		"moved into the one that took its place": func(w *world) {
			w.rename("a", "q")
			w.mkdir("a")
			w.rename("q", "a/q")
		},
		"replaced by a file":         func(w *world) { w.remove("a"); w.write("a", "file") },
		"moved, and replaced":        func(w *world) { w.rename("a", "q"); w.write("a", "file") },
		"in the place of a file":     func(w *world) { w.remove("file"); w.write("file/f", "x") },
		"moved in a file's place":    func(w *world) { w.remove("file"); w.rename("a", "file") },
		"removed with all in it":     func(w *world) { w.remove("a") },
		"removed, its child saved":   func(w *world) { w.rename("a/b", "saved"); w.remove("a") },
		"removed, its file saved":    func(w *world) { w.rename("a/b/g", "saved"); w.remove("a") },
		"three in a circle":          func(w *world) { w.rename("a", "t"); w.rename("z", "a"); w.rename("y", "z"); w.rename("t", "y") },
		"everything is gone":         func(w *world) { w.remove("a"); w.remove("z"); w.remove("y"); w.remove("file") },
		"the content of one is new":  func(w *world) { w.rename("a", "q"); w.write("q/f", "changed"); w.write("q/b/h", "new") },
		"symlink in its place":       func(w *world) { w.remove("a"); must(w.t, os.Symlink("z", w.path("a"))) },
		"nothing":                    func(*world) {},
		"only its mode is different": func(w *world) { must(w.t, os.Chmod(w.path("a"), 0o711)) },
	}
	for name, step := range steps {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			for _, f := range []string{"a/f", "a/b/g", "a/b/c/deep", "z/f", "y/f", "file"} {
				w.write(f, "in "+f)
			}
			first := onDisk(t, w.root)
			w.again()
			step(w)
			w.again()
			w.same(0, first)
			if s := w.again(); s.Counts.EntriesOpened+s.Counts.EntriesClosed != 0 {
				t.Fatalf("nothing changed, and %+v", s.Counts)
			}
		})
	}
}

// lookup is the entry of a name in a directory below the root.
func (w *world) lookup(scan int64, dir, name string) catalog.Entry {
	w.t.Helper()
	e, err := w.cat.Root(w.t.Context(), scan)
	must(w.t, err)
	for _, n := range []string{dir, name} {
		if n == "" {
			continue
		}
		e, err = w.cat.Lookup(w.t.Context(), scan, e.Ino, n)
		must(w.t, err)
	}
	return e
}
