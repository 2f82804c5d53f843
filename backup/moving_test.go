package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/sqlite"
)

// busy is a catalog that lets something happen while it is asked.
type busy struct {
	*sqlite.Catalog
	mu      sync.Mutex
	current func() // when it is asked what is in directories
	values  func() // when it is asked for attributes, which is after a file was read and before it is looked at again
}

// Current is as in Catalog.
func (b *busy) Current(ctx context.Context, dirs []catalog.ID, fn func(*catalog.Entry) error) error {
	b.mu.Lock()
	if b.current != nil {
		b.current()
	}
	b.mu.Unlock()
	return b.Catalog.Current(ctx, dirs, fn)
}

// KnownValues is as in Catalog.
func (b *busy) KnownValues(ctx context.Context, hashes []catalog.Hash, ids []catalog.ID) error {
	b.mu.Lock()
	if b.values != nil {
		b.values()
	}
	b.mu.Unlock()
	return b.Catalog.KnownValues(ctx, hashes, ids)
}

func TestFileThatKeepsChangingIsSaidToBeInconsistent(t *testing.T) {
	for size, kind := range map[int]string{10: "small", 3 << 20: "large"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.write("calm", "calm")
			w.write("file", string(random(size, 1)))
			n := 0
			scribble := func() {
				n++
				must(t, os.WriteFile(w.path("file"), random(size+n, uint64(n)), 0o600))
				must(t, unix.Lsetxattr(w.path("file"), "user.n", []byte(fmt.Sprint(n)), 0))
			}
			scribble()
			cat := &busy{Catalog: w.cat, values: scribble}
			var told []string
			o := w.options()
			o.Problem = func(path, message string) { told = append(told, path+": "+message) }
			s, err := Run(t.Context(), cat, w.store, w.repo, o)
			must(t, err)
			if s.State != catalog.Partial || s.Counts.Problems != 1 || len(told) != 1 || !strings.Contains(told[0], w.path("file")+": it changed") {
				t.Fatalf("%s, %q", s.State, told)
			}
			if e := w.lookup(s.Scan, "", "file"); e.Flags != catalog.Inconsistent {
				t.Fatalf("flags %d", e.Flags)
			}
			w.again() // and is read again when it is calm
		})
	}
}

func TestFileThatChangesOnceIsReadAgain(t *testing.T) {
	for size, kind := range map[int]string{10: "small", 3 << 20: "large"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.write("file", string(random(size, 1)))
			must(t, unix.Lsetxattr(w.path("file"), "user.n", []byte("1"), 0))
			once := sync.OnceFunc(func() { w.write("file", string(random(size/2, 2))) })
			s, err := Run(t.Context(), &busy{Catalog: w.cat, values: once}, w.store, w.repo, w.options())
			must(t, err)
			if s.State != catalog.Complete {
				t.Fatal(s.State)
			}
			w.same(s.Scan, onDisk(t, w.root))
		})
	}
}

// The first name was listed alone, and then read with the link that was made in between; the other one is listed after that.
func TestFileThatGetsALinkBeforeItIsReadStaysOne(t *testing.T) {
	for size, kind := range map[int]string{10: "small", 3 << 20: "large"} {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.write("sub/f", "f")
			w.backup()
			w.write("file", string(random(size, 1)))
			link := sync.OnceFunc(func() { w.link("file", "sub/second") })
			s, err := Run(t.Context(), &busy{Catalog: w.cat, current: link}, w.store, w.repo, w.options())
			must(t, err)
			first, second := w.lookup(s.Scan, "", "file"), w.lookup(s.Scan, "sub", "second")
			if first.Ino != second.Ino || first.Chunk != second.Chunk || first.Content != second.Content || first.Nlink != 2 || second.Nlink != 2 {
				t.Fatalf("%+v\n%+v", first, second)
			}
			w.wholesome(s.Scan)
			w.again()
		})
	}
}

// What has more than doubled between its listing and its reading does not fit where small files are read.
func TestSmallFileThatGrowsLarge(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("file", "small")
	w.write("other", "other")
	w.backup()
	w.write("file", "another")
	grow := sync.OnceFunc(func() { w.write("file", string(random(9<<20, 3))) })
	s, err := Run(t.Context(), &busy{Catalog: w.cat, current: grow}, w.store, w.repo, w.options())
	must(t, err)
	w.same(s.Scan, onDisk(t, w.root))
	w.wholesome(s.Scan)
}

func TestWhatVanishesIsLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, f := range []string{"dir/f", "changed", "stays", "links/a", "place"} {
		w.write(f, f)
	}
	w.link("links/a", "links/b")
	w.backup()
	w.write("changed", "is changed")
	w.write("new", "is new")
	w.write("links/a", "changed, by both names")
	w.write("fresh/dir/f", "is new")
	w.remove("place")
	w.rename("dir", "place")
	vanish := sync.OnceFunc(func() {
		for _, f := range []string{"changed", "new", "fresh", "place", "links/a"} {
			w.remove(f)
		}
	})
	s, err := Run(t.Context(), &busy{Catalog: w.cat, current: vanish}, w.store, w.repo, w.options())
	must(t, err)
	if s.State != catalog.Complete {
		t.Fatal(s.State)
	}
	got, want := w.inScan(s.Scan), onDisk(t, w.root)
	for _, path := range []string{"", "links", "links/b"} { // listed before, or with a link more
		a, b := got[path], want[path]
		a.Mtime, a.Links = b.Mtime, b.Links
		got[path] = a
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	w.wholesome(s.Scan)
	w.again()
}

func TestDryRunStoresNothingAndSaysWhatItWould(t *testing.T) {
	t.Parallel()
	w := newQuickWorld(t)
	w.grow()
	dry := func(o *Options) { o.DryRun = true; tiny(o) }
	for _, change := range []func(){w.disturb, func() {}} {
		w.store.reset()
		would := w.backup(dry)
		if n, err := w.cat.NextScan(t.Context()); err != nil || n != would.Scan || len(w.store.puts) != 0 {
			t.Fatalf("next scan is %d, %v; stored %q", n, err, w.store.puts)
		}
		did := w.backup(tiny)
		a, b := would.Counts, did.Counts
		a.Objects, a.BytesStored, b.Objects, b.BytesStored = 0, 0, 0, 0 // where packs end depends on what is faster
		if diff := cmp.Diff(b, a); diff != "" || would.Scan != did.Scan {
			t.Fatal(diff)
		}
		change()
	}
}

func TestFilesFromComparesOnlyWhatIsNamed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, f := range []string{"a/f", "a/g", "b/c/f", "b/c/g", "b/d", "e/f", "ee", "gone", "gone too"} {
		w.write(f, f)
	}
	before := onDisk(t, w.root)
	w.backup()
	for _, f := range []string{"a/f", "a/g", "b/c/f", "b/c/new", "e/f", "ee"} {
		w.write(f, "changed")
	}
	w.remove("gone")
	w.remove("gone too")
	now := onDisk(t, w.root)
	s := w.backup(func(o *Options) { o.FilesFrom = []string{w.path("a/f"), "b/c", "gone", "e", "never was"} })
	want := before
	for _, path := range []string{"", "a", "a/f", "b", "b/c", "b/c/f", "b/c/new", "e", "e/f"} {
		want[path] = now[path]
	}
	delete(want, "gone")
	w.same(s.Scan, want)
	w.wholesome(s.Scan)
	w.again()
}

func TestSkippedNamesAreLeftOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("keep/f", "x")
	w.write("skip/f", "x")
	w.backup()
	s := w.backup(func(o *Options) { o.Skip = func(path string, dir bool) bool { return dir && path == w.path("skip") } })
	want := onDisk(t, w.root)
	delete(want, "skip")
	delete(want, "skip/f")
	w.same(s.Scan, want)
	w.wholesome(s.Scan)
	w.again()
}

func TestForceReadsAgainAndWritesNoRowForWhatIsEqual(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("a", "aaa")
	w.write("b", "bbb")
	w.backup()
	must(t, os.Chtimes(w.path("b"), nanos(7), nanos(7)))
	s := w.again(func(o *Options) { o.Force = true })
	if c := s.Counts; c.BytesRead != 6 || c.EntriesOpened != 1 || c.BytesNew != 0 {
		t.Fatalf("%+v", c)
	}
}

func TestManyHostsAtOnce(t *testing.T) {
	t.Parallel()
	w := newQuickWorld(t)
	w.grow()
	want := onDisk(t, w.root)
	g, ctx := errgroup.WithContext(t.Context())
	scans := make([]int64, 4)
	for i := range scans {
		g.Go(func() error {
			o := w.options()
			tiny(&o)
			o.Host = fmt.Sprint("host", i)
			s, err := Run(ctx, w.cat, w.store, w.repo, o)
			if err == nil {
				scans[i] = s.Scan
			}
			return err
		})
	}
	must(t, g.Wait())
	for _, scan := range scans {
		w.same(scan, want)
		w.wholesome(scan)
	}
}

// Root reads everything, so this test runs itself again as nobody.
func TestWhatCannotBeReadIsAProblem(t *testing.T) {
	if os.Geteuid() == 0 {
		asNobody(t)
		return
	}
	w := newWorld(t)
	w.write("dir/secret", "secret")
	w.write("dir/open", "open")
	w.write("closed/f", "f")
	w.write("closed/sub/f", "f")
	w.again()
	must(t, os.Chmod(w.path("dir/secret"), 0))
	must(t, os.Chmod(w.path("closed"), 0))
	defer os.Chmod(w.path("closed"), 0o755) //nolint:errcheck // for the removal of the directory
	for range 2 {
		s := w.try()
		if s.State != catalog.Partial || s.Counts.Problems != 2 {
			t.Fatalf("%s, %d problems", s.State, s.Counts.Problems)
		}
		var paths []string
		must(t, w.cat.Problems(t.Context(), s.Scan, func(p *catalog.Problem) error { paths = append(paths, p.Path); return nil }))
		slices.Sort(paths)
		if diff := cmp.Diff([]string{w.path("closed"), w.path("dir/secret")}, paths); diff != "" {
			t.Fatal(diff)
		}
		if e := w.lookup(s.Scan, "dir", "secret"); e.Flags != catalog.Unreadable || e.Chunk != 0 || e.Mode != 0 {
			t.Fatalf("%+v", e)
		}
		if e := w.lookup(s.Scan, "closed", ""); e.Flags != catalog.Unreadable {
			t.Fatalf("%+v", e)
		}
		if got := w.inScan(s.Scan); len(got) != 5 {
			t.Fatalf("what cannot be read is shown: %v", got)
		}
		w.wholesome(s.Scan)
	}
	must(t, os.Chmod(w.path("dir/secret"), 0o600))
	must(t, os.Chmod(w.path("closed"), 0o755))
	w.again()
}

// asNobody runs the test in another process, as a user who is not root.
func asNobody(t *testing.T) {
	t.Helper()
	dir, err := os.MkdirTemp("", "bus3-nobody")
	must(t, err)
	defer os.RemoveAll(dir) //nolint:errcheck // best effort
	must(t, os.Chmod(dir, 0o777))
	self, err := os.Open("/proc/self/exe")
	must(t, err)
	defer self.Close() //nolint:errcheck // nothing was written
	program := filepath.Join(dir, "test")
	copied, err := os.OpenFile(program, os.O_CREATE|os.O_WRONLY, 0o755)
	must(t, err)
	_, err = io.Copy(copied, self)
	must(t, errors.Join(err, copied.Close()))
	cmd := exec.Command(program, "-test.run", "^"+t.Name()+"$", "-test.count=1")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "TMPDIR="+dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("as nobody: %v\n%s", err, out)
	}
}
