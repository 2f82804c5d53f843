// Package quick gives tests directories in memory where there is a place for that: tests write durably, and often.
package quick

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// room is how many bytes must be free in memory for a test to put its files there.
const room = 1 << 30

// Dir is an empty directory that goes with the test.
func Dir(t testing.TB) string {
	t.Helper()
	const memory = "/dev/shm"
	var fs syscall.Statfs_t
	if err := syscall.Statfs(memory, &fs); err != nil || fs.Bavail*uint64(fs.Bsize) < room {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(memory, "bus3-test-")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// Tree is an empty directory like that of Dir, on a file system that has extended attributes of users, as trees to back up
// need it. File systems in memory give no inode number twice: tests that are about that need those of t.TempDir.
func Tree(t testing.TB) string {
	t.Helper()
	dir := filepath.Join(Dir(t), "tree")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Setxattr(dir, "user.probe", []byte("1"), 0); err != nil {
		return t.TempDir()
	}
	if err := unix.Removexattr(dir, "user.probe"); err != nil {
		t.Fatal(err)
	}
	return dir
}
