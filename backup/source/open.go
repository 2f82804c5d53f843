package source

import (
	"bytes"
	"strings"

	"golang.org/x/sys/unix"
)

// pathMax is the longest path that one system call takes, with the NUL at its end.
const pathMax = unix.PathMax

// openRoot opens a directory by an absolute path of any length.
func openRoot(path string) (int, error) {
	fd, rest := unix.AT_FDCWD, path
	for {
		head := rest
		if len(rest) >= pathMax {
			cut := strings.LastIndexByte(rest[:pathMax-1], '/')
			if cut <= 0 {
				return -1, unix.ENAMETOOLONG
			}
			head = rest[:cut]
		}
		rest = strings.TrimLeft(rest[len(head):], "/")
		next, err := unix.Openat(fd, head, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if fd != unix.AT_FDCWD {
			_ = unix.Close(fd)
		}
		if err != nil || rest == "" {
			return next, err
		}
		fd = next
	}
}

// open opens a name in a directory, the directory itself if the name is empty. Symlinks on the way are ELOOP or ENOTDIR;
// flags say what happens to one at the end.
func (t *Tree) open(d *Dir, name string, flags int) (int, error) {
	p := t.paths.get()
	defer t.paths.put(p)
	path := d.appendRelative(*p)
	if name != "" {
		path = appendName(path, name)
	}
	if len(path) == 0 {
		path = append(path, '.')
	}
	path = append(path, 0)
	*p = path
	if !t.beneath {
		return t.openStepwise(path, flags)
	}
	fd := t.fd
	for len(path) > pathMax {
		cut := bytes.LastIndexByte(path[:pathMax], '/')
		path[cut] = 0
		next, err := rawOpenat2(fd, &path[0], unix.O_PATH|unix.O_DIRECTORY)
		t.release(fd)
		if err != nil {
			return -1, err
		}
		fd, path = next, path[cut+1:]
	}
	got, err := rawOpenat2(fd, &path[0], flags)
	t.release(fd)
	return got, err
}

// openStepwise is open where the kernel has no openat2: name by name.
func (t *Tree) openStepwise(path []byte, flags int) (int, error) {
	fd := t.fd
	for {
		cut := bytes.IndexByte(path, '/')
		if cut < 0 {
			break
		}
		path[cut] = 0
		next, err := rawOpenat(fd, &path[0], unix.O_PATH|unix.O_DIRECTORY)
		t.release(fd)
		if err != nil {
			return -1, err
		}
		fd, path = next, path[cut+1:]
	}
	got, err := rawOpenat(fd, &path[0], flags)
	t.release(fd)
	return got, err
}

// release closes a directory on the way, but never the root.
func (t *Tree) release(fd int) {
	if fd != t.fd {
		_ = unix.Close(fd)
	}
}

// openReading opens for reading without leaving a trace in the access time where that is allowed: to the owner and to root.
func (t *Tree) openReading(d *Dir, name string, owner uint32, flags int) (int, error) {
	flags |= unix.O_RDONLY | unix.O_NOFOLLOW | unix.O_NONBLOCK | unix.O_NOCTTY
	if t.euid == 0 || t.euid == owner {
		fd, err := t.open(d, name, flags|unix.O_NOATIME)
		if err != unix.EPERM {
			return fd, err
		}
	}
	return t.open(d, name, flags)
}
