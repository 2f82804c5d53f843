// Package docs holds documentation to what is so. A reader of repositories, written from format.md alone, reads what
// bus3 writes; commands, flags and links in the pages exist.
package docs

import (
	"crypto/rand"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// TestReaderFromTheDescriptionReadsEveryScan is the proof of format.md: reader*_test.go import nothing of bus3.
func TestReaderFromTheDescriptionReadsEveryScan(t *testing.T) {
	m := newMachine(t)
	tree := filepath.Join(m.dir, "tree")
	plant(t, tree)
	var want []snapshot
	backup := func(host, root string) {
		want = append(want, look(t, root))
		m.run("backup", "--host", host, root)
	}
	backup("alpha", tree)
	alter(t, tree)
	backup("alpha", tree)
	backup("beta", filepath.Join(tree, "dir"))

	r := openStore(t, m.store, m.key)
	if got := r.scanNumbers(); !slices.Equal(got, []int64{0, 1, 2}) {
		t.Fatalf("scans %v, want 0, 1 and 2", got)
	}
	for n, snap := range want {
		s := r.scans[int64(n)]
		if host := []string{"alpha", "alpha", "beta"}[n]; s.host != host || s.state != stateComplete {
			t.Errorf("scan %d: host %q, state %d", n, s.host, s.state)
		}
		compare(t, snap, r, int64(n))
	}
	if s := r.scans[2]; s.root != filepath.Join(tree, "dir") || s.after != -1 {
		t.Errorf("scan 2 is of %q, after %d", s.root, s.after)
	}
	r.checkDirectories()
}

// TestReaderFromTheDescriptionUnderstandsFences: a run that lost its end is taken over by the next one.
func TestReaderFromTheDescriptionUnderstandsFences(t *testing.T) {
	m := newMachine(t)
	tree := filepath.Join(m.dir, "tree")
	plant(t, tree)
	m.run("backup", tree)
	alter(t, tree)
	m.run("backup", tree)
	parts, err := filepath.Glob(filepath.Join(m.store, "journal/0000000001/*"))
	if err != nil || len(parts) < 2 {
		t.Fatalf("parts of scan 1: %v, %v", parts, err)
	}
	remove(t, parts[len(parts)-1]) // as if it had been interrupted just before
	m.forget()
	m.run("backup", tree)

	r := openStore(t, m.store, m.key)
	if got := r.scanNumbers(); !slices.Equal(got, []int64{0, 1, 2}) {
		t.Fatalf("scans %v, want 0, 1 and 2", got)
	}
	if s := r.scans[1]; s.state != 0 || !s.fenced || s.parts != int64(len(parts)) {
		t.Errorf("scan 1 has state %d, %d parts, fenced: %v", s.state, s.parts, s.fenced)
	}
	compare(t, look(t, tree), r, 2)
	r.checkDirectories()
}

// TestReaderFromTheDescriptionCutsAsBus3Does: another writer would share chunks.
func TestReaderFromTheDescriptionCutsAsBus3Does(t *testing.T) {
	for name, flags := range map[string][]string{"default": nil, "small": {"--chunk-size=8KiB"}, "fixed": {"--fixed-chunks=100KB"}} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t, flags...)
			tree := filepath.Join(m.dir, "tree")
			data := noise(t, 7_000_000)
			write(t, filepath.Join(tree, "file"), data)
			m.run("backup", tree)
			r := openStore(t, m.store, m.key)
			var got []int
			for _, p := range r.pieces[r.tree(0)["file"].content] {
				got = append(got, int(r.chunks[p.chunk].length))
			}
			if want := r.cut(data); !slices.Equal(got, want) {
				t.Errorf("the file is in chunks of %v bytes, the description says %v", got, want)
			}
		})
	}
}

// node is what a tree has under a name.
type node struct {
	mode               uint32
	uid, gid, nlink    uint32
	size, mtime, ctime int64
	dev, ino           uint64
	target, attribute  string
	data               string
}

type snapshot map[string]node

// look takes a tree down as it is.
func look(t *testing.T, root string) snapshot {
	t.Helper()
	snap := snapshot{}
	err := filepath.WalkDir(root, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			return err
		}
		n := node{
			mode: st.Mode, uid: st.Uid, gid: st.Gid, nlink: uint32(st.Nlink), size: st.Size, dev: st.Dev, ino: st.Ino,
			mtime: st.Mtim.Nano(), ctime: st.Ctim.Nano(),
		}
		switch st.Mode & syscall.S_IFMT {
		case syscall.S_IFREG:
			var data []byte
			data, err = os.ReadFile(path)
			n.data = string(data)
			value := make([]byte, 100)
			if size, err := syscall.Getxattr(path, "user.comment", value); err == nil {
				n.attribute = string(value[:size])
			}
		case syscall.S_IFLNK:
			n.target, err = os.Readlink(path)
		}
		rel, _ := filepath.Rel(root, path)
		snap[rel] = n
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

// compare holds what the reader finds in a scan against the tree as it was.
func compare(t *testing.T, want snapshot, r *reader, scan int64) {
	t.Helper()
	tree := r.tree(scan)
	if got, want := slices.Sorted(maps.Keys(tree)), slices.Sorted(maps.Keys(want)); !slices.Equal(got, want) {
		t.Fatalf("scan %d has %q, want %q", scan, got, want)
	}
	identities := map[int64]uint64{}
	for path, e := range tree {
		w := want[path]
		got := node{
			mode: e.mode | kindBits(e.kind), uid: uint32(e.uid), gid: uint32(e.gid), nlink: uint32(e.nlink), size: e.size, mtime: e.mtime,
			ctime: e.ctime, dev: e.dev, ino: e.sourceIno, target: e.target, attribute: r.xattrs(e)["user.comment"],
		}
		if e.kind == kindFile {
			got.data = string(r.data(e))
		}
		if got.data != w.data {
			t.Errorf("scan %d: the data of %q are not what they were", scan, path)
		}
		got.data, w.data = "", ""
		if w.mode&syscall.S_IFMT == syscall.S_IFDIR {
			got.size, w.size = 0, 0 // the source's business
		}
		if got != w {
			t.Errorf("scan %d: %q is %+v, want %+v", scan, path, got, w)
		}
		if ino, met := identities[e.ino]; met && ino != w.ino {
			t.Errorf("scan %d: %q has the identity of another file", scan, path)
		}
		identities[e.ino] = w.ino
	}
}

func kindBits(kind uint64) uint32 {
	return map[uint64]uint32{
		kindFile: syscall.S_IFREG, kindDirectory: syscall.S_IFDIR, kindSymlink: syscall.S_IFLNK, 4: syscall.S_IFIFO,
		5: syscall.S_IFSOCK, 6: syscall.S_IFCHR, 7: syscall.S_IFBLK,
	}[kind]
}

// plant makes a tree that has something of everything.
func plant(t *testing.T, root string) {
	t.Helper()
	big := noise(t, 3_000_000)
	write(t, filepath.Join(root, "big"), big)
	write(t, filepath.Join(root, "dir/the same again"), big)
	write(t, filepath.Join(root, "dir/small"), []byte("a few words"))
	write(t, filepath.Join(root, "dir/deep/er/text"), []byte(strings.Repeat("what compresses well. ", 90_000)))
	write(t, filepath.Join(root, "empty"), nil)
	write(t, filepath.Join(root, "not \xff UTF-8\n"), []byte{0})
	check(t, os.Symlink("dir/small", filepath.Join(root, "link")))
	check(t, os.Link(filepath.Join(root, "dir/small"), filepath.Join(root, "hard")))
	check(t, syscall.Mkfifo(filepath.Join(root, "fifo"), 0o640))
	check(t, os.Chmod(filepath.Join(root, "dir"), 0o2751))
	_ = syscall.Setxattr(filepath.Join(root, "big"), "user.comment", []byte("hello"), 0) // where the file system has them
	sparse, err := os.Create(filepath.Join(root, "sparse"))
	check(t, err)
	for _, off := range []int64{1 << 20, 5 << 20} {
		_, err := sparse.WriteAt([]byte("behind a hole"), off)
		check(t, err)
	}
	check(t, sparse.Truncate(9<<20))
	check(t, sparse.Close())
	old := syscall.Timespec{Sec: -1000, Nsec: 5}
	check(t, syscall.UtimesNano(filepath.Join(root, "empty"), []syscall.Timespec{old, old}))
}

func alter(t *testing.T, root string) {
	t.Helper()
	big, err := os.ReadFile(filepath.Join(root, "big"))
	check(t, err)
	write(t, filepath.Join(root, "big"), append([]byte("inserted"), big...))
	check(t, os.Rename(filepath.Join(root, "dir/deep"), filepath.Join(root, "moved")))
	remove(t, filepath.Join(root, "link"))
	write(t, filepath.Join(root, "dir/new"), []byte("new"))
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	check(t, os.MkdirAll(filepath.Dir(path), 0o755))
	check(t, os.WriteFile(path, data, 0o644))
}

func remove(t *testing.T, path string) { t.Helper(); check(t, os.Remove(path)) }

func noise(t *testing.T, n int) []byte {
	t.Helper()
	data := make([]byte, n)
	_, err := rand.Read(data)
	check(t, err)
	return data
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
