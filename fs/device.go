package fs

import (
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// closeOnExec keeps the kernel's end of mounts away from programs that this process starts. Whoever holds it keeps the
// mount alive: if the server dies, requests would wait for an answer for ever instead of failing at once.
func closeOnExec() {
	const own = "/proc/self/fd"
	fds, err := os.ReadDir(own)
	if err != nil {
		return
	}
	for _, fd := range fds {
		if target, err := os.Readlink(filepath.Join(own, fd.Name())); err != nil || target != "/dev/fuse" {
			continue
		}
		if n, err := strconv.Atoi(fd.Name()); err == nil {
			unix.CloseOnExec(n)
		}
	}
}
