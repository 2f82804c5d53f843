package fs

import (
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

func lstat(t *testing.T, path string) unix.Stat_t {
	t.Helper()
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		t.Fatalf("lstat %s: %v", path, err)
	}
	return st
}

func TestAttributesAreThoseOfTheEntry(t *testing.T) {
	w := newWorld()
	top := w.scan(0, "host", "/home")
	device := unix.Mkdev(0xabc, 0x6789a)
	entries := []catalog.Entry{
		{Name: "file", Size: 5, Mode: 0o4751, UID: 1, GID: 2, Mtime: -1, Ctime: 7_000_000_001, Nlink: 3},
		{Name: "late", Mtime: 4_102_444_800_000_000_001, Ctime: 1}, // 2100
		{Name: "fifo", Kind: catalog.FIFO, Mode: 0o600},
		{Name: "socket", Kind: catalog.Socket, Mode: 0o777},
		{Name: "tty", Kind: catalog.CharDevice, Mode: 0o620, Rdev: device},
		{Name: "disk", Kind: catalog.BlockDevice, Mode: 0o660, Rdev: unix.Mkdev(8, 1)},
		{Name: "link", Kind: catalog.Symlink, Mode: 0o777, Target: "some/where", Size: 10},
		{Name: "dir", Kind: catalog.Directory, Mode: 0o1777, Nlink: 2},
	}
	for i := range entries {
		if entries[i].Size > 0 && entries[i].Kind == 0 {
			entries[i].Chunk = w.chunk(0, make([]byte, entries[i].Size))
		}
		entries[i] = w.add(0, top, entries[i])
	}
	m := w.mount(t, Options{})
	for _, e := range entries {
		st := lstat(t, m.path("0", e.Name))
		want := catalog.Entry{
			Name: e.Name, Kind: e.Kind, Mode: e.Mode, UID: e.UID, GID: e.GID, Size: e.Size, Mtime: e.Mtime, Ctime: e.Ctime, Nlink: e.Nlink, Rdev: e.Rdev,
		}
		if e.Kind == catalog.Directory {
			want.Size = 4096
		}
		kind := catalog.Kind(0)
		for k := catalog.File; k <= catalog.BlockDevice; k++ {
			if typeBits(k) == st.Mode&unix.S_IFMT {
				kind = k
			}
		}
		got := catalog.Entry{
			Name: e.Name, Kind: kind, Mode: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid, Size: st.Size,
			Mtime: st.Mtim.Sec*1e9 + st.Mtim.Nsec, Ctime: st.Ctim.Sec*1e9 + st.Ctim.Nsec, Nlink: uint32(st.Nlink), Rdev: st.Rdev,
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("%s: %s", e.Name, d)
		}
	}
	if target, err := os.Readlink(m.path("0", "link")); err != nil || target != "some/where" {
		t.Errorf("readlink: %q, %v", target, err)
	}
}

func TestBlocksLeaveHolesOut(t *testing.T) {
	w := newWorld()
	top := w.scan(0, "host", "/home")
	piece := make([]byte, 8192)
	for _, e := range []catalog.Entry{
		{Name: "a-small", Size: 1, Chunk: w.chunk(0, piece[:1])},
		{Name: "b-full", Size: 8192, Chunk: w.chunk(0, piece)},
		{Name: "c-tail", Size: 1 << 30, Chunk: w.chunk(0, piece[:4097])},
		{Name: "d-hole", Size: 1 << 40},
		{Name: "e-pieces", Size: 1 << 20, Content: w.content(0, map[int64][]byte{0: piece, 512 << 10: piece[:100]})},
		{Name: "f-huge", Size: 1 << 41, Content: w.content(0, map[int64][]byte{1 << 40: piece})},
		{Name: "g-unread", Size: 1 << 20, Flags: catalog.Unreadable},
		{Name: "h-empty"},
		{Name: "i-all", Size: 8192 * 2, Content: w.content(0, map[int64][]byte{0: piece, 8192: piece})},
	} {
		w.add(0, top, e)
	}
	m := w.mount(t, Options{})
	if names, err := os.ReadDir(m.path("0")); err != nil || len(names) != 9 {
		t.Fatalf("%d names, %v", len(names), err)
	}
	want := map[string]int64{
		"a-small": 8, "b-full": 16, "c-tail": 16, "d-hole": 0, "e-pieces": 24, "f-huge": 16, "g-unread": 2048, "h-empty": 0, "i-all": 32,
	}
	got := map[string]int64{}
	for name := range want {
		got[name] = lstat(t, m.path("0", name)).Blocks
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestInodeNumbersAgreeForHardLinksAndDifferOtherwise(t *testing.T) {
	w := newWorld()
	top := w.scan(0, "host", "/home")
	data := w.chunk(0, []byte("data"))
	other := w.chunk(0, []byte("other"))
	sub := w.dir(0, top, "sub")
	one := w.add(0, top, catalog.Entry{Name: "one", Nlink: 2, Size: 4, Chunk: data})
	w.add(0, sub, catalog.Entry{Name: "two", Nlink: 2, Size: 4, Chunk: data, Ino: one.Ino})
	w.add(0, sub, catalog.Entry{Name: "single", Size: 4, Chunk: data})
	top1 := w.scan(1, "host", "/home")
	sub1 := w.add(1, top1, catalog.Entry{Name: "sub", Kind: catalog.Directory, Ino: sub}).Ino
	w.add(1, sub1, catalog.Entry{Name: "later", Nlink: 2, Size: 5, Chunk: other, Ino: one.Ino})
	m := w.mount(t, Options{})

	ino := func(parts ...string) uint64 { return lstat(t, m.path(parts...)).Ino }
	if a, b := ino("0", "one"), ino("0", "sub", "two"); a != b {
		t.Errorf("hard links have the inode numbers %d and %d", a, b)
	}
	seen := map[uint64]string{}
	for _, path := range []string{".", "0", "1", "0/one", "0/sub", "1/sub", "0/sub/single", "1/sub/later", "latest", "by-host", "by-host/host"} {
		n := ino(path)
		if n == 0 || seen[n] != "" {
			t.Errorf("%s and %s have the inode number %d", path, seen[n], n)
		}
		seen[n] = path
	}
}

func TestNamesAreListedWithTheInodeNumbersThatStatTells(t *testing.T) {
	w := newWorld()
	top := w.scan(0, "host", "/home")
	w.file(0, top, "file", []byte("x"))
	w.dir(0, top, "dir")
	m := w.mount(t, Options{})
	for _, dir := range []string{".", "0", "by-host", "by-host/host/home"} {
		for name, ino := range getdents(t, m.path(dir)) {
			if name == ".." {
				continue
			}
			if st := lstat(t, m.path(dir)+"/"+name); st.Ino != ino {
				t.Errorf("%s/%s is listed with inode number %d and has %d", dir, name, ino, st.Ino)
			}
		}
	}
}

func TestWritingIsRefused(t *testing.T) {
	w := newWorld()
	w.file(0, w.scan(0, "host", "/home"), "file", []byte("x"))
	m := w.mount(t, Options{})
	for what, err := range map[string]error{
		"create": os.WriteFile(m.path("0", "new"), nil, 0o600),
		"write":  os.WriteFile(m.path("0", "file"), nil, 0o600),
		"remove": os.Remove(m.path("0", "file")),
		"mkdir":  os.Mkdir(m.path("new"), 0o700),
		"chmod":  os.Chmod(m.path("0", "file"), 0o600),
	} {
		if !errors.Is(err, syscall.EROFS) {
			t.Errorf("%s: %v, want EROFS", what, err)
		}
	}
}

func TestStatfsTellsSizeAndNoRoom(t *testing.T) {
	w := newWorld()
	w.scan(0, "host", "/home")
	m := w.mount(t, Options{})
	var st unix.Statfs_t
	if err := unix.Statfs(m.Mountpoint(), &st); err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprint(st.Blocks, st.Bfree, st.Namelen, st.Flags&unix.ST_RDONLY != 0), "262144 0 255 true"; got != want {
		t.Errorf("statfs: %s, want %s", got, want)
	}
}
