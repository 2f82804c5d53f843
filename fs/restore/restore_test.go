package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/test/tree"
)

func noise(size int, seed byte) []byte {
	b := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(b)
	return b
}

func TestEverythingComesBack(t *testing.T) {
	w := newWorld(t)
	must(t, tree.Make(w.root, tree.Options{Huge: true, Logf: t.Logf}))
	write(t, filepath.Join(w.root, "large"), noise(20<<20, 1))
	before := record(t, w.root)
	scan := w.backup()
	s := w.sound(Options{Scan: scan, Dest: w.path("made", "for it")})
	for _, line := range tree.Diff(before, record(t, w.path("made", "for it")), tree.Ignore{}) {
		t.Error(line)
	}
	if int(s.Files+s.Dirs) != len(before) || len(s.Denied) != 0 {
		t.Errorf("%d files and %d directories of %d, denied %v", s.Files, s.Dirs, len(before), s.Denied)
	}
	again := w.sound(Options{Scan: scan, Dest: w.path("made", "for it")})
	if again.Files != 0 || again.Bytes != 0 || again.Kept != s.Files {
		t.Errorf("a second time: %d files restored, %d bytes, %d kept of %d", again.Files, again.Bytes, again.Kept, s.Files)
	}
	agree(t, w.root, w.path("made", "for it"))
}

func TestAPartOfTheTree(t *testing.T) {
	w := newWorld(t)
	write(t, filepath.Join(w.root, "a", "b", "file"), []byte("1"))
	write(t, filepath.Join(w.root, "a", "other"), []byte("2"))
	scan := w.backup()
	for i, c := range []struct {
		path string
		want []string
	}{
		{"a/b", []string{".", "b", "b/file"}},
		{"/a/b/", []string{".", "b", "b/file"}}, // below the root, by its path
		{"a/b/file", []string{".", "file"}},
		{"a", []string{".", "a", "a/b", "a/b/file", "a/other"}},
		{"/", []string{".", "tree", "tree/a", "tree/a/b", "tree/a/b/file", "tree/a/other"}},
	} {
		if c.path[0] == '/' {
			c.path = w.root + c.path
		}
		dest := w.path(fmt.Sprintf("dest %d", i))
		w.sound(Options{Scan: scan, Path: c.path, Dest: dest})
		if got := names(t, dest); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q", c.path, got)
		}
	}
	for _, missing := range []string{"c", "a/b/file/x", "/etc", w.root + "2"} {
		_, _, err := w.restore(w.cat, Options{Scan: scan, Path: missing, Dest: w.path("never made")})
		if err == nil || !strings.Contains(err.Error(), missing) {
			t.Errorf("%s: %v", missing, err)
		}
	}
	if _, _, err := w.restore(w.cat, Options{Scan: 99, Dest: w.path("never made either")}); !errors.Is(err, catalog.ErrNotFound) {
		t.Errorf("a scan that is none: %v", err)
	}
}

func TestWhatIsThereIsKept(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"same", "newer", "larger", "link to it", "is a directory", "is a full directory"} {
		write(t, filepath.Join(w.root, name), []byte("old content"))
	}
	must(t, os.Symlink("here", filepath.Join(w.root, "symlink")))
	must(t, os.Mkdir(filepath.Join(w.root, "dir"), 0o755))
	scan := w.backup()

	dest := w.path("dest")
	w.sound(Options{Scan: scan, Dest: dest})
	at := func(name string) string { return filepath.Join(dest, name) }
	write(t, at("newer"), []byte("new content"))
	write(t, at("larger"), []byte("other content, and more of it"))
	for _, name := range []string{"symlink", "is a directory", "is a full directory", "dir", "link to it"} {
		must(t, os.RemoveAll(at(name)))
	}
	must(t, os.Symlink("there", at("symlink")))
	must(t, os.Mkdir(at("is a directory"), 0o755))
	write(t, filepath.Join(at("is a full directory"), "precious"), []byte("precious"))
	write(t, at("dir"), []byte("a file"))
	outside := w.path("outside")
	write(t, outside, []byte("old content"))
	must(t, os.Symlink(outside, at("link to it")))

	s, p, err := w.restore(w.cat, Options{Scan: scan, Dest: dest})
	must(t, err)
	slices.Sort(p.paths)
	want := []string{"dir", "is a directory", "is a full directory", "larger", "link to it", "newer", "symlink"}
	for i := range want {
		want[i] = at(want[i])
	}
	if !slices.Equal(p.paths, want) || s.Failed != int64(len(want)) || s.Kept != 1 || s.Files != 0 {
		t.Errorf("problems %q; %+v", p.lines, s)
	}
	holds(t, at("newer"), []byte("new content"))

	s, p, err = w.restore(w.cat, Options{Scan: scan, Dest: dest, Overwrite: true})
	must(t, err)
	if !slices.Equal(p.paths, []string{at("is a full directory")}) || s.Failed != 1 || s.Kept != 1 {
		t.Errorf("problems when overwriting: %q; %+v", p.lines, s)
	}
	holds(t, filepath.Join(at("is a full directory"), "precious"), []byte("precious"))
	holds(t, outside, []byte("old content"))
	must(t, os.RemoveAll(at("is a full directory")))
	w.sound(Options{Scan: scan, Dest: dest})
	agree(t, w.root, dest)
}

func TestDamageIsToldAndTheRestIsRestored(t *testing.T) {
	w := newWorld(t)
	write(t, filepath.Join(w.root, "bad"), noise(3<<20, 1))
	write(t, filepath.Join(w.root, "good"), bytes.Repeat([]byte("good"), 1000))
	scan := w.backup()
	write(t, filepath.Join(w.root, "new"), noise(1000, 2)) // in a pack of its own
	scan2 := w.backup()
	var bad catalog.Entry
	root, err := w.cat.Root(t.Context(), scan)
	must(t, err)
	bad, err = w.cat.Lookup(t.Context(), scan, root.Ino, "bad")
	must(t, err)
	must(t, w.cat.Pieces(t.Context(), bad.Content, 1<<20, 1, func(p *catalog.PlacedPiece) error {
		s := p.Place.Pack.Key.String()
		name := w.path("store", "packs", s[:2], s)
		b, err := os.ReadFile(name)
		must(t, err)
		b[p.Place.Segment.Offset+100] ^= 1
		must(t, os.Chmod(name, 0o600))
		return os.WriteFile(name, b, 0o600)
	}))
	dest := w.path("dest")
	s, p, err := w.restore(w.cat, Options{Scan: scan2, Dest: dest})
	must(t, err)
	if s.Failed != 1 || !slices.Equal(p.paths, []string{filepath.Join(dest, "bad")}) || !strings.Contains(p.lines[0], "damaged") {
		t.Errorf("%+v, %q", s, p.lines)
	}
	if got := names(t, dest); !slices.Equal(got, []string{".", "good", "new"}) {
		t.Errorf("there is %q", got)
	}
	holds(t, filepath.Join(dest, "good"), bytes.Repeat([]byte("good"), 1000))
}

func TestAnInterruptedRestoreLeavesNothingUnfinished(t *testing.T) {
	w := newWorld(t)
	data := noise(24<<20, 1)
	for i := range 4 {
		write(t, filepath.Join(w.root, fmt.Sprint(i)), data[i*100:])
	}
	scan := w.backup()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	progress := &Progress{}
	ended := make(chan struct{})
	go func() { // as soon as something was written
		defer close(ended)
		for end := time.Now().Add(time.Minute); progress.Bytes.Load() == 0 && time.Now().Before(end); {
			time.Sleep(50 * time.Microsecond)
		}
		cancel()
	}()
	dest := w.path("dest")
	_, err := Run(ctx, w.cat, w.reader(), Options{Scan: scan, Dest: dest, Progress: progress})
	<-ended
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	for _, name := range names(t, dest)[1:] { // what is there, is whole
		want, err := os.ReadFile(filepath.Join(w.root, name))
		must(t, err)
		holds(t, filepath.Join(dest, name), want)
	}
	w.sound(Options{Scan: scan, Dest: dest})
	agree(t, w.root, dest)
}

func TestManyFilesAndOneOfManyChunks(t *testing.T) {
	w := newWorld(t)
	data := noise(8<<20, 1)
	for i := range 3000 { // shared content, in many directories
		write(t, filepath.Join(w.root, fmt.Sprint(i%37), fmt.Sprint(i)), data[i%100*1000:][:i%5000])
	}
	write(t, filepath.Join(w.root, "repeated"), bytes.Repeat(data, 8))
	scan := w.backup()
	dest := w.path("dest")
	s := w.sound(Options{Scan: scan, Dest: dest, Jobs: 3})
	if s.Files != 3001 {
		t.Errorf("%d files", s.Files)
	}
	agree(t, w.root, dest)
}

func TestACLsOfTheDestinationAreNotInherited(t *testing.T) {
	w := newWorld(t)
	write(t, filepath.Join(w.root, "dir", "sub", "file"), []byte("1"))
	write(t, filepath.Join(w.root, "file"), []byte("1"))
	must(t, os.Mkdir(filepath.Join(w.root, "empty"), 0o755))
	must(t, unix.Mkfifo(filepath.Join(w.root, "fifo"), 0o600))
	scan := w.backup()
	dest := w.path("dest")
	must(t, os.Mkdir(dest, 0o755))
	// user::rwx, user:1234:rwx, group::rwx, mask::rwx, other::rwx
	acl := "\x02\x00\x00\x00" + "\x01\x00\x07\x00\xff\xff\xff\xff" + "\x02\x00\x07\x00\xd2\x04\x00\x00" +
		"\x04\x00\x07\x00\xff\xff\xff\xff" + "\x10\x00\x07\x00\xff\xff\xff\xff" + "\x20\x00\x07\x00\xff\xff\xff\xff"
	must(t, unix.Setxattr(dest, defaultACL, []byte(acl), 0))
	w.sound(Options{Scan: scan, Dest: dest})
	agree(t, w.root, dest)
}
