package test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bus3/bus3/test/tree"
)

// nasty is a tree with everything that a backup can meet.
func nasty(t *testing.T) string {
	return stage.tree(t, "nasty", func(dir string) error { return tree.Make(dir, tree.Options{Huge: true, Logf: t.Logf}) })
}

// copyable is the same without what cp, rsync and tar cannot copy.
func copyable(t *testing.T) string {
	return stage.tree(t, "copyable", func(dir string) error { return tree.Make(dir, tree.Options{Shallow: true, Logf: t.Logf}) })
}

func record(t *testing.T, dir string) []tree.Entry {
	t.Helper()
	entries, err := tree.Record(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 2 {
		t.Fatalf("%s has %d entries", dir, len(entries))
	}
	return entries
}

// same fails the test if two trees differ.
func same(t *testing.T, what, want, got string, ignore tree.Ignore) {
	t.Helper()
	if lines := tree.Diff(record(t, want), record(t, got), ignore); len(lines) > 0 {
		t.Errorf("%s differs from the source:\n%s", what, strings.Join(lines[:min(len(lines), 30)], "\n"))
	}
}

// owners are compared only by who may set them.
func restored() tree.Ignore {
	root := os.Geteuid() == 0
	return tree.Ignore{Owners: !root, Xattrs: func(name string) bool { return !root && !strings.HasPrefix(name, "user.") }}
}

func TestEverythingComesBackByMountAndRestore(t *testing.T) {
	source := nasty(t)
	everywhere(t, func(t *testing.T, r *rig) {
		first := r.backup(source)
		if first.Scan != 0 || first.New == 0 || first.Problems != 0 {
			t.Errorf("the first backup: %+v", first)
		}
		same(t, "the mount", source, filepath.Join(r.mount(), "0"), tree.Ignore{})
		r.bus3("restore", "all", r.path("restored"), "0")
		same(t, "what restore made", source, r.path("restored"), restored())

		again := r.backup(source)
		if again.New+again.Changed+again.Removed != 0 || again.BytesRead != 0 || again.EntriesOpened+again.EntriesClosed != 0 || again.Objects != 2 {
			t.Errorf("a second backup of the same tree wrote something: %+v", again)
		}
	})
}

func TestEverythingComesBackByCpRsyncAndTar(t *testing.T) {
	source := copyable(t)
	everywhere(t, func(t *testing.T, r *rig) {
		r.backup(source)
		scan := filepath.Join(r.mount(), "latest")
		if out := differences(t, source, scan); out != "" {
			t.Errorf("rsync would change the mount:\n%s", out)
		}
		sh(t, "cp", "-a", scan+"/.", r.path("cp"))
		same(t, "what cp -a made", source, r.path("cp"), restored())
		sh(t, "rsync", "-aHAXS", scan+"/", r.path("rsync")+"/")
		// rsync -S makes holes where it finds zeros.
		ignore := restored()
		ignore.Holes = true
		same(t, "what rsync made", source, r.path("rsync"), ignore)
		if out := differences(t, source, r.path("cp")); out != "" {
			t.Errorf("rsync would change what cp -a made:\n%s", out)
		}
		untar(t, scan, r.path("tar"))
		lines := tree.Diff(record(t, source), record(t, r.path("tar")), ignore)
		// tar leaves sockets out, and makes two FIFOs of one with two names.
		lines = slices.DeleteFunc(lines, func(line string) bool {
			return strings.Contains(line, "socket") || strings.Contains(line, "specials/fifo")
		})
		if len(lines) > 0 {
			t.Errorf("what tar made differs:\n%s", strings.Join(lines, "\n"))
		}
	})
}

// differences is what rsync would change to make to as from is.
func differences(t *testing.T, from, to string) string {
	t.Helper()
	out, err := exec.Command("rsync", "-naHAXS", "--checksum", "--delete", "-i", from+"/", to+"/").CombinedOutput()
	if err != nil {
		t.Fatalf("rsync: %v\n%s", err, out)
	}
	return string(out)
}

func untar(t *testing.T, from, to string) {
	t.Helper()
	if err := os.Mkdir(to, 0o700); err != nil {
		t.Fatal(err)
	}
	script := `set -e; tar -C "$1" --format=posix --xattrs --xattrs-include='*' --acls -S -cf "$2.tar" . ; tar -C "$2" --xattrs --xattrs-include='*' --acls -S -xpf "$2.tar"`
	sh(t, "sh", "-c", script, "sh", from+"/.", to)
}
