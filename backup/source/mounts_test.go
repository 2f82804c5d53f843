package source

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

func TestKernelFileSystemsAreNeverEntered(t *testing.T) {
	src := open(t, "/", Options{})
	for _, path := range [][]string{{"proc"}, {"proc", "self"}, {"proc", "sys", "kernel"}} {
		if path[len(path)-1] == "self" {
			continue // a symlink
		}
		if _, got := list(t, src, path...); len(got) != 0 {
			t.Errorf("/%s is entered: %q", strings.Join(path, "/"), names(got))
		}
	}
	if _, err := Open("/proc/sys", Options{}); err == nil || !strings.Contains(err.Error(), "proc, which is never backed up") {
		t.Errorf("a root in /proc: %v", err)
	}
}

func TestOtherFileSystemsAreLeftOutWhenAskedTo(t *testing.T) {
	if _, got := list(t, open(t, "/", Options{}), "dev"); len(got) == 0 {
		t.Error("/dev is empty")
	}
	src := open(t, "/", Options{OneFileSystem: true})
	if _, got := list(t, src, "dev"); len(got) != 0 {
		t.Errorf("/dev is entered: %q", names(got))
	}
	_, root := list(t, src)
	if i := slices.IndexFunc(root, func(s Stat) bool { return s.Name == "dev" }); i < 0 || root[i].Kind != catalog.Directory {
		t.Error("the mount point /dev is gone")
	}
}

func TestMountsInTheTree(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	must(t, os.Mkdir(at("mount"), 0o755))
	must(t, os.WriteFile(at("file"), nil, 0o644))
	err := unix.Mount("bus3-test", at("mount"), "tmpfs", 0, "size=1m")
	if errors.Is(err, unix.EPERM) {
		t.Skip("this user may not mount")
	}
	must(t, err)
	defer unix.Unmount(at("mount"), unix.MNT_DETACH) //nolint:errcheck // t.TempDir tells
	must(t, os.WriteFile(at("mount/inside"), nil, 0o644))
	must(t, unix.Mount(at("mount/inside"), at("file"), "", unix.MS_BIND, ""))
	defer unix.Unmount(at("file"), unix.MNT_DETACH) //nolint:errcheck // t.TempDir tells
	for one, want := range map[bool]string{false: "file mount inside", true: "mount"} {
		src := open(t, dir, Options{OneFileSystem: one})
		_, outer := list(t, src)
		_, inner := list(t, src, "mount")
		if got := strings.Join(append(names(outer), names(inner)...), " "); got != want {
			t.Errorf("one file system %v: %q", one, got)
		}
	}
}

func TestMountsAreKnownByTheirDevice(t *testing.T) {
	table := []byte("22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n" +
		"40 22 0:41 / /mnt/a\\040b rw,nosuid - fuse.bus3 bus3 ro,user_id=0\n" +
		"41 22 0:410 / /mnt/c rw master:1 propagate_from:2 - fuse.sshfs host: rw\n" +
		"broken\n\n42 22 0:42\n43 22 0:43 / /x rw -\n")
	for dev, want := range map[uint64]string{
		unix.Mkdev(8, 1): "ext4", unix.Mkdev(0, 41): FSType, unix.Mkdev(0, 410): "fuse.sshfs", unix.Mkdev(0, 4): "", unix.Mkdev(0, 42): "", unix.Mkdev(0, 43): "",
	} {
		if got := mountType(table, dev); got != want {
			t.Errorf("device %x: %q, not %q", dev, got, want)
		}
	}
}

func TestTheRootMayBeFarDown(t *testing.T) {
	dir := t.TempDir()
	name := strings.Repeat("n", 200)
	fd, err := unix.Open(dir, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
	must(t, err)
	path := dir
	for range 25 {
		must(t, unix.Mkdirat(fd, name, 0o755))
		next, err := unix.Openat(fd, name, unix.O_DIRECTORY|unix.O_RDONLY|unix.O_CLOEXEC, 0)
		must(t, err)
		must(t, unix.Close(fd))
		fd, path = next, path+"/"+name
	}
	must(t, unix.Mkdirat(fd, "bottom", 0o755))
	must(t, unix.Close(fd))
	d, got := list(t, open(t, path, Options{}))
	if !slices.Equal(names(got), []string{"bottom"}) || d.PathOf("bottom") != path+"/bottom" {
		t.Errorf("%q in %q", names(got), d.Path())
	}
}

func TestPaths(t *testing.T) {
	top := (&Dir{name: "/"}).Child("a")
	if got := top.Child("b").PathOf("c"); got != "/a/b/c" {
		t.Errorf("%q", got)
	}
	if got := top.Child("b").Relative(); got != "a/b" {
		t.Errorf("%q", got)
	}
	if _, err := Open("relative", Options{}); err == nil {
		t.Error("a relative root is accepted")
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none"), Options{}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing root: %v", err)
	}
}
