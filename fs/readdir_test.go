package fs

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

// getdents reads a directory as the kernel gives it: inode numbers by name.
func getdents(t *testing.T, path string) map[string]uint64 {
	t.Helper()
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	found := map[string]uint64{}
	for _, d := range readDents(t, fd, 0) {
		if _, twice := found[d.name]; twice {
			t.Errorf("%s lists %q twice", path, d.name)
		}
		found[d.name] = d.ino
	}
	return found
}

type dent struct {
	name string
	ino  uint64
	off  int64
}

// readDents reads from the current position, to the end or at least most names if most > 0.
func readDents(t *testing.T, fd, most int) []dent {
	t.Helper()
	var list []dent
	buf := make([]byte, 16<<10)
	for most == 0 || len(list) < most {
		n, err := unix.Getdents(fd, buf)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		for b := buf[:n]; len(b) > 0; {
			length := int(b[16]) | int(b[17])<<8
			name, _, _ := strings.Cut(string(b[19:length]), "\x00")
			list = append(list, dent{name: name, ino: word(b), off: int64(word(b[8:]))})
			b = b[length:]
		}
	}
	return list
}

func word(b []byte) (v uint64) {
	for i := range 8 {
		v |= uint64(b[i]) << (8 * i)
	}
	return v
}

func TestNamesOfAllKindsAreListedAndFound(t *testing.T) {
	w := newWorld()
	top := w.scan(0, "host", "/home")
	names := []string{"-dash", "new\nline", "not utf-8 \xff\xfe", "quote\"'", "space ", ".hidden", strings.Repeat("x", 255), "\x01", "%2F"}
	for _, n := range names {
		w.file(0, top, n, []byte(n))
	}
	m := w.mount(t, Options{})
	listed := getdents(t, m.path("0"))
	if len(listed) != len(names)+2 {
		t.Errorf("%d names are listed, want %d, and . and ..", len(listed), len(names))
	}
	for _, n := range names {
		if _, ok := listed[n]; !ok {
			t.Errorf("%q is not listed", n)
		}
		if data, err := os.ReadFile(m.path("0") + "/" + n); err != nil || string(data) != n {
			t.Errorf("%q reads %q, %v", n, data, err)
		}
	}
	if _, err := os.Lstat(m.path("0", "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent name: %v", err)
	}
}

func TestLargeDirectoryIsReadCompletelyWithOneQuery(t *testing.T) {
	const many = 20_000
	w := newWorld()
	top := w.scan(0, "host", "/home")
	for i := range many {
		w.add(0, top, catalog.Entry{Name: fmt.Sprintf("name-%06d", i)})
	}
	m := w.mount(t, Options{})
	if got := len(getdents(t, m.path("0"))); got != many+2 {
		t.Errorf("%d names, want %d", got, many+2)
	}
	for i := range many {
		lstat(t, m.path("0", fmt.Sprintf("name-%06d", i)))
	}
	if lists, lookups := w.count("List"), w.count("Lookup")+w.count("Entry"); lists != 1 || lookups != 0 {
		t.Errorf("%d listings and %d single queries were made, want 1 and 0", lists, lookups)
	}
}

func TestSeeksInDirectoriesGoOnAtThePosition(t *testing.T) {
	const many = 5_000
	w := newWorld()
	top := w.scan(0, "host", "/home")
	for i := range many {
		w.add(0, top, catalog.Entry{Name: fmt.Sprintf("name-%06d", i)})
	}
	m := w.mount(t, Options{})
	fd, err := unix.Open(m.path("0"), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	part := readDents(t, fd, 700)
	seek := func(off int64) {
		if _, err := unix.Seek(fd, off, 0); err != nil {
			t.Fatal(err)
		}
	}
	seek(0) // rewinddir
	all := readDents(t, fd, 0)
	if len(all) != many+2 {
		t.Fatalf("%d names, want %d", len(all), many+2)
	}
	if d := cmp.Diff(all[:len(part)], part, cmp.AllowUnexported(dent{})); d != "" {
		t.Errorf("reading again gives others: %s", d)
	}
	for _, at := range []int{0, 1, 2, 699, 2500, many, many + 1} {
		seek(all[at].off) // seekdir to what telldir said after that name
		rest := readDents(t, fd, 0)
		if d := cmp.Diff(len(all)-at-1, len(rest)); d != "" {
			t.Errorf("after name %d: %s", at, d)
		} else if len(rest) > 0 && rest[0] != all[at+1] {
			t.Errorf("after name %d comes %v, want %v", at, rest[0], all[at+1])
		}
	}
}

func TestDirectoryWithUnreadableNamesIsNotEmptyButAnError(t *testing.T) {
	w := newWorld()
	top := w.scan(0, "host", "/home")
	w.add(0, top, catalog.Entry{Name: "locked", Kind: catalog.Directory, Flags: catalog.Unreadable})
	w.dir(0, top, "empty")
	m := w.mount(t, Options{})
	if names, err := os.ReadDir(m.path("0", "empty")); err != nil || len(names) != 0 {
		t.Errorf("the empty directory: %v, %v", names, err)
	}
	if _, err := os.ReadDir(m.path("0", "locked")); !errors.Is(err, syscall.EIO) {
		t.Errorf("the unreadable directory: %v, want EIO", err)
	}
	if _, err := os.Lstat(m.path("0", "locked", "x")); !errors.Is(err, syscall.EIO) {
		t.Errorf("a name in the unreadable directory: %v, want EIO", err)
	}
}

func TestFindSeesATreeOnce(t *testing.T) {
	w := newWorld()
	top := w.scan(0, "host", "/home")
	dir := top
	want := 1
	for depth := range 30 {
		for i := range 5 {
			w.file(0, dir, fmt.Sprintf("file-%d", i), nil)
			want++
		}
		dir = w.dir(0, dir, fmt.Sprintf("dir-%d", depth))
		want++
	}
	m := w.mount(t, Options{ListingBytes: 1}) // one listing at a time
	out, err := exec.Command("find", m.path("0"), "-printf", "%i\n").CombinedOutput()
	if err != nil {
		t.Fatalf("find: %v\n%s", err, out)
	}
	if got := strings.Count(string(out), "\n"); got != want {
		t.Errorf("find sees %d names, want %d", got, want)
	}
}
