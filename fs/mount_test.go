package fs

import (
	"bufio"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// serverVariable makes the test program a server that mounts a small world, for tests that kill it.
const serverVariable = "BUS3_FS_TEST_SERVE"

func TestMain(m *testing.M) {
	if mountpoint := os.Getenv(serverVariable); mountpoint != "" {
		if path := os.Getenv(benchVariable); path != "" {
			os.Exit(serveBench(mountpoint, path))
		}
		os.Exit(serve(mountpoint))
	}
	os.Exit(m.Run())
}

func serve(mountpoint string) int {
	w := newWorld()
	w.file(0, w.scan(0, "host", "/home"), "file", []byte("data"))
	s, err := Mount(context.Background(), w, w, Options{Mountpoint: mountpoint})
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	_, _ = os.Stdout.WriteString("ready\n")
	s.Wait()
	return 0
}

// startServer starts a server in a process of its own.
func startServer(t *testing.T, mountpoint string) *exec.Cmd {
	t.Helper()
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), serverVariable+"="+mountpoint)
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		_ = Unmount(mountpoint, true)
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("the server says %q, %v", line, err)
	}
	return server
}

func TestDeadServerLeavesABrokenMountThatCanBeUnmounted(t *testing.T) {
	mountpoint := t.TempDir()
	server := startServer(t, mountpoint)
	dir, err := os.Open(filepath.Join(mountpoint, "0"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	if err := server.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = server.Wait()
	for _, path := range []string{mountpoint, filepath.Join(mountpoint, "0", "unseen")} {
		if _, err := os.ReadDir(path); !errors.Is(err, syscall.ENOTCONN) {
			t.Errorf("%s: %v, want ENOTCONN", path, err)
		}
	}
	if _, err := Mount(t.Context(), newWorld(), newWorld(), Options{Mountpoint: mountpoint}); err == nil || !strings.Contains(err.Error(), "bus3 umount") {
		t.Errorf("mounting again says %v, and not what to do", err)
	}
	if err := Unmount(mountpoint, false); err != nil { // though a directory in it is open
		t.Errorf("unmount: %v", err)
	}
	if list, err := os.ReadDir(mountpoint); err != nil || len(list) != 0 {
		t.Errorf("after it: %v, %v", list, err)
	}
	startServer(t, mountpoint)
	if data, err := os.ReadFile(filepath.Join(mountpoint, "0", "file")); err != nil || string(data) != "data" {
		t.Errorf("mounted again: %q, %v", data, err)
	}
}

func TestStartedProgramsDoNotInheritTheMount(t *testing.T) {
	newWorld().mount(t, Options{})
	out, err := exec.Command("sh", "-c", "ls -l /proc/self/fd").CombinedOutput()
	if err != nil || strings.Contains(string(out), "/dev/fuse") {
		t.Errorf("a program has open, %v:\n%s", err, out)
	}
}

func TestUnmountByAnotherProcessEndsTheServer(t *testing.T) {
	mountpoint := t.TempDir()
	server := startServer(t, mountpoint)
	if err := Unmount(mountpoint, false); err != nil {
		t.Fatal(err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("the server ended with %v", err)
	}
	if err := Unmount(mountpoint, false); !errors.Is(err, ErrNotMounted) {
		t.Errorf("unmounting again: %v, want ErrNotMounted", err)
	}
}

func TestBusyMountStaysUnlessLazy(t *testing.T) {
	w := newWorld()
	w.file(0, w.scan(0, "host", "/home"), "file", []byte("data"))
	m := w.mount(t, Options{})
	f, err := os.Open(m.path("0", "file"))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Unmount(); !errors.Is(err, ErrBusy) {
		t.Errorf("unmount of a busy mount: %v, want ErrBusy", err)
	}
	if data, err := os.ReadFile(m.path("0", "file")); err != nil || string(data) != "data" {
		t.Errorf("the busy mount afterwards: %q, %v", data, err)
	}
	if err := Unmount(m.Mountpoint(), true); err != nil {
		t.Errorf("lazy unmount: %v", err)
	}
	if list, err := os.ReadDir(m.Mountpoint()); err != nil || len(list) != 0 {
		t.Errorf("after it: %v, %v", list, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	m.Wait()
	if err := m.Unmount(); err != nil {
		t.Errorf("unmounting what is unmounted: %v", err)
	}
}

func TestMountpointMustBeAnEmptyDirectory(t *testing.T) {
	w := newWorld()
	m := w.mount(t, Options{})
	full := t.TempDir()
	file := filepath.Join(full, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		full: "not empty", file: "not a directory", filepath.Join(full, "absent"): "create it", m.Mountpoint(): "already mounted", "": "no mountpoint",
	} {
		if _, err := Mount(t.Context(), w, w, Options{Mountpoint: path}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("mount on %q: %v, want %q", path, err, want)
		}
	}
	if err := Unmount(full, false); !errors.Is(err, ErrNotMounted) {
		t.Errorf("unmount of an ordinary directory: %v", err)
	}
}

func TestMountpointMayBeOddlyNamedAndASymlink(t *testing.T) {
	dir := t.TempDir()
	odd := filepath.Join(dir, "a b\tc\\d,e")
	link := filepath.Join(dir, "link")
	if err := errors.Join(os.Mkdir(odd, 0o700), os.Symlink(odd, link)); err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	w.scan(0, "host", "/home")
	s, err := Mount(t.Context(), w, w, Options{Mountpoint: link})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(filepath.Join(odd, "0")); err != nil {
		t.Error(err)
	}
	if err := Unmount(link, false); err != nil {
		t.Error(err)
	}
	s.Wait()
}

func TestUnknownCatalogFailsBeforeAnythingIsMounted(t *testing.T) {
	w := newWorld()
	w.breakWith(errors.New("the database is away"))
	dir := t.TempDir()
	if _, err := Mount(t.Context(), w, w, Options{Mountpoint: dir}); err == nil || !strings.Contains(err.Error(), "database is away") {
		t.Errorf("mount: %v", err)
	}
	if err := Unmount(dir, false); !errors.Is(err, ErrNotMounted) {
		t.Errorf("something is mounted: %v", err)
	}
}
