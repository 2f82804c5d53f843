package restore

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/test/tree"
)

// disturb gives everything below a directory other attributes, but the same content and, for files, the same time.
func disturb(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{"file", "plain", "dir/inside"} {
		p := filepath.Join(dir, name)
		info, err := os.Stat(p)
		must(t, err)
		must(t, os.Chmod(p, 0o604))
		must(t, unix.Setxattr(p, "user.bus3.more", []byte("x"), 0))
		must(t, unix.Setxattr(p, "user.bus3.kept", []byte("another value"), 0))
		if os.Geteuid() == 0 {
			must(t, os.Chown(p, 1234, 2345))
		}
		must(t, os.Chtimes(p, time.Time{}, info.ModTime()))
	}
	must(t, os.Chmod(filepath.Join(dir, "fifo"), 0o666))
	must(t, os.Chmod(filepath.Join(dir, "dir"), 0o711))
	if os.Geteuid() == 0 {
		must(t, os.Lchown(filepath.Join(dir, "symlink"), 1234, 2345))
		must(t, unix.Lsetxattr(filepath.Join(dir, "symlink"), "trusted.more", []byte("x"), 0))
	}
}

func attributesTree(t *testing.T) (w *world, scan int64) {
	t.Helper()
	w = newWorld(t)
	for _, name := range []string{"file", "plain", "dir/inside"} {
		write(t, filepath.Join(w.root, name), []byte("content of "+name))
	}
	must(t, os.Chmod(filepath.Join(w.root, "file"), 0o4751))
	must(t, unix.Setxattr(filepath.Join(w.root, "file"), "user.bus3.kept", []byte("1"), 0))
	must(t, unix.Mkfifo(filepath.Join(w.root, "fifo"), 0o600))
	must(t, os.Symlink("file", filepath.Join(w.root, "symlink")))
	return w, w.backup()
}

func TestOverwritingSetsAttributesWhereTheContentIsKept(t *testing.T) {
	w, scan := attributesTree(t)
	dest := w.path("dest")
	w.sound(Options{Scan: scan, Dest: dest})
	agree(t, w.root, dest)
	disturb(t, dest)
	s := w.sound(Options{Scan: scan, Dest: dest, Overwrite: true})
	if s.Files != 0 || s.Bytes != 0 || s.Kept != 5 {
		t.Errorf("content was written again: %+v", s)
	}
	agree(t, w.root, dest)
}

func TestWithoutOverwritingFilesKeepTheirAttributes(t *testing.T) {
	w, scan := attributesTree(t)
	dest := w.path("dest")
	w.sound(Options{Scan: scan, Dest: dest})
	disturb(t, dest)
	before := map[string]tree.Entry{}
	for _, e := range record(t, dest) {
		before[e.Path] = e
	}
	s := w.sound(Options{Scan: scan, Dest: dest})
	if s.Files != 0 || s.Kept != 5 {
		t.Errorf("%+v", s)
	}
	for _, e := range record(t, dest) {
		if e.Kind == "directory" {
			continue
		}
		for _, line := range tree.Diff([]tree.Entry{before[e.Path]}, []tree.Entry{e}, tree.Ignore{}) {
			t.Error(line)
		}
	}
}

// Another name of a file may be anywhere: what it is called there must not get the attributes.
func TestOverwritingLeavesFilesAloneThatHaveOtherNames(t *testing.T) {
	w, scan := attributesTree(t)
	dest, outside := w.path("dest"), w.path("outside")
	w.sound(Options{Scan: scan, Dest: dest})
	must(t, os.Link(filepath.Join(dest, "plain"), outside))
	must(t, os.Chmod(outside, 0o600))
	s := w.sound(Options{Scan: scan, Dest: dest, Overwrite: true})
	if s.Files != 1 || s.Kept != 4 {
		t.Errorf("%+v", s)
	}
	agree(t, w.root, dest)
	info, err := os.Stat(outside)
	must(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the other name has mode %v", info.Mode())
	}
	holds(t, outside, []byte("content of plain"))
}
