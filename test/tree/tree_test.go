package tree

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestRecordTellsEveryChange(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tree")
	if err := Make(dir, Options{Huge: true, Logf: t.Logf}); err != nil {
		t.Fatal(err)
	}
	before := record(t, dir)
	if lines := Diff(before, record(t, dir), Ignore{}); len(lines) > 0 {
		t.Fatalf("a tree differs from itself: %q", lines)
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	changes := []struct {
		path, word string
		change     func() error
	}{
		{"one byte", "content", func() error { return os.WriteFile(at("one byte"), []byte{'!'}, 0) }},
		{"empty file", "size", func() error { return os.Truncate(at("empty file"), 5) }},
		{"sparse/huge", "content", func() error { return poke(at("sparse/huge"), 1<<38, "x") }},
		{"sparse/only a hole", "data at", func() error { return poke(at("sparse/only a hole"), 5<<20, "\x00") }},
		{"zeros", "content", func() error { return poke(at("zeros"), 77, "x") }},
		{"text", "mtime", func() error { return os.Chtimes(at("text"), time.Time{}, time.Unix(1, 1)) }},
		{"a/block", "mode", func() error { return os.Chmod(at("a/block"), 0o600) }},
		{"many/000", "only in the first", func() error { return os.Remove(at("many/000")) }},
		{"many/new", "only in the second", func() error { return os.WriteFile(at("many/new"), nil, 0o600) }},
		{"links/dangling", "links", func() error { return os.Remove(at("links/two/dangling too")) }},
		{"links/two/third", "shares", func() error { return os.Rename(at("links/two/third"), at("links/two/third ")) }},
		{"links/relative", "target", func() error { return replaceLink(at("links/relative")) }},
		{"attributes/user", "user.comment", func() error { return unix.Setxattr(at("attributes/user"), "user.comment", []byte("b"), 0) }},
		{"attributes/user", "user.empty", func() error { return unix.Removexattr(at("attributes/user"), "user.empty") }},
		{"specials/socket", "kind", func() error { _ = os.Remove(at("specials/socket")); return unix.Mkfifo(at("specials/socket"), 0o755) }},
	}
	for _, c := range changes {
		if err := c.change(); err != nil {
			t.Fatalf("%s: %v", c.path, err)
		}
	}
	lines := Diff(before, record(t, dir), Ignore{})
	for _, c := range changes {
		found := false
		for _, line := range lines {
			found = found || strings.Contains(line, c.path) && strings.Contains(line, c.word)
		}
		if !found && !strings.Contains(c.word, "shares") {
			t.Errorf("%s: %s is not told: %s", c.path, c.word, strings.Join(lines, "\n"))
		}
	}
}

func TestACopyOfEverythingIsEqual(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tree")
	if err := Make(dir, Options{Shallow: true}); err != nil {
		t.Fatal(err)
	}
	copied := dir + ".copy"
	if out, err := exec.Command("cp", "-a", dir, copied).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v: %s", err, out)
	}
	if lines := Diff(record(t, dir), record(t, copied), Ignore{Holes: true}); len(lines) > 0 {
		t.Errorf("%s", strings.Join(lines, "\n"))
	}
}

func TestPathsGoBeyondPathMax(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tree")
	if err := Make(dir, Options{}); err != nil {
		t.Fatal(err)
	}
	for _, e := range record(t, dir) {
		if len(e.Path) > unix.PathMax && strings.HasSuffix(e.Path, "/at the bottom") && e.Kind == "file" && e.Nlink == 2 && e.Sum != "" {
			return
		}
	}
	t.Error("no file lies beyond PATH_MAX")
}

func record(t *testing.T, dir string) []Entry {
	t.Helper()
	entries, err := Record(dir)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

func poke(path string, off int64, data string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // the write has told
	_, err = f.WriteAt([]byte(data), off)
	return err
}

func replaceLink(path string) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	return os.Symlink("elsewhere", path)
}
