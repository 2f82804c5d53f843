package tree

import (
	"errors"

	"golang.org/x/sys/unix"
)

// again makes a system call until no signal interrupts it. Local file systems finish what they began; one in user space, or on
// the network, may not, and the signal can be that of a child that ended.
func again(call func() error) error {
	for {
		if err := call(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// count is again for calls that tell a number of bytes.
func count(call func() (int, error)) (n int, err error) {
	err = again(func() error {
		n, err = call()
		return err
	})
	return n, err
}

// open opens a name for reading.
func open(dirfd int, name string, flags int) (fd int, err error) {
	return count(func() (int, error) { return unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_CLOEXEC|flags, 0) })
}

func seek(fd int, off int64, whence int) (at int64, err error) {
	err = again(func() error {
		at, err = unix.Seek(fd, off, whence)
		return err
	})
	return at, err
}
