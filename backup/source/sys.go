package source

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

// The raw calls below exist because their counterparts in x/sys/unix allocate a copy of each name; here names are
// already bytes that end in NUL.

const statMask = unix.STATX_TYPE | unix.STATX_MODE | unix.STATX_NLINK | unix.STATX_UID | unix.STATX_GID | unix.STATX_MTIME |
	unix.STATX_CTIME | unix.STATX_INO | unix.STATX_SIZE

// rawStatx is statx(2) of a name that ends in NUL, without following a symlink or making an automount.
func rawStatx(fd int, name *byte, flags int, mask uint32, out *unix.Statx_t) error {
	flags |= unix.AT_SYMLINK_NOFOLLOW | unix.AT_NO_AUTOMOUNT
	for {
		_, _, errno := unix.Syscall6(unix.SYS_STATX, uintptr(fd), uintptr(unsafe.Pointer(name)), uintptr(flags),
			uintptr(mask), uintptr(unsafe.Pointer(out)), 0)
		if errno == 0 {
			return nil
		}
		if errno != unix.EINTR {
			return errno
		}
	}
}

// rawOpenat2 is openat2(2) of a path that ends in NUL, none of whose parts may be a symlink.
func rawOpenat2(fd int, path *byte, flags int) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS}
	for {
		n, _, errno := unix.Syscall6(unix.SYS_OPENAT2, uintptr(fd), uintptr(unsafe.Pointer(path)),
			uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how), 0, 0)
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.EINTR {
			return -1, errno
		}
	}
}

// rawOpenat is openat(2) of a name that ends in NUL.
func rawOpenat(fd int, name *byte, flags int) (int, error) {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_OPENAT, uintptr(fd), uintptr(unsafe.Pointer(name)),
			uintptr(flags|unix.O_CLOEXEC|unix.O_NOFOLLOW), 0, 0, 0)
		if errno == 0 {
			return int(n), nil
		}
		if errno != unix.EINTR {
			return -1, errno
		}
	}
}

// hasOpenat2 tells whether openat2 works here: Linux 5.6, and no seccomp filter that knows nothing of it.
func hasOpenat2(fd int) bool {
	dot := [2]byte{'.', 0}
	got, err := rawOpenat2(fd, &dot[0], unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return false
	}
	_ = unix.Close(got)
	return true
}

func (t *Tree) fstat(fd int, name string) (Stat, error) {
	var x unix.Statx_t
	var empty byte
	if err := rawStatx(fd, &empty, unix.AT_EMPTY_PATH, statMask, &x); err != nil {
		return Stat{}, failed("stat", err)
	}
	var s Stat
	fill(&s, &x)
	s.Name = name
	return s, nil
}

// fill sets everything but the name.
func fill(s *Stat, x *unix.Statx_t) {
	s.Kind = kindOf(x.Mode)
	s.Mode = uint32(x.Mode) & 0o7777
	s.UID, s.GID = x.Uid, x.Gid
	s.Nlink = x.Nlink
	s.Size = int64(min(x.Size, math.MaxInt64))
	s.Mtime, s.Ctime = nanoseconds(x.Mtime), nanoseconds(x.Ctime)
	s.Dev = unix.Mkdev(x.Dev_major, x.Dev_minor)
	s.Ino = x.Ino
	s.Rdev = 0
	if s.Kind == catalog.CharDevice || s.Kind == catalog.BlockDevice {
		s.Rdev = unix.Mkdev(x.Rdev_major, x.Rdev_minor)
	}
}

func kindOf(mode uint16) catalog.Kind {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return catalog.File
	case unix.S_IFDIR:
		return catalog.Directory
	case unix.S_IFLNK:
		return catalog.Symlink
	case unix.S_IFIFO:
		return catalog.FIFO
	case unix.S_IFSOCK:
		return catalog.Socket
	case unix.S_IFCHR:
		return catalog.CharDevice
	case unix.S_IFBLK:
		return catalog.BlockDevice
	}
	return 0
}

// nanoseconds is a time as the catalog counts it. What lies beyond the years 1678 to 2262 becomes their end.
func nanoseconds(t unix.StatxTimestamp) int64 {
	const seconds = math.MaxInt64 / 1_000_000_000
	switch {
	case t.Sec >= seconds:
		return math.MaxInt64
	case t.Sec <= -seconds:
		return math.MinInt64
	}
	return t.Sec*1_000_000_000 + int64(t.Nsec)
}

// Error is a failed system call, in words for a user: "open: permission denied". The path is known to the caller.
type Error struct {
	Op  string
	Err error
}

// Error is the operation and what went wrong.
func (e *Error) Error() string { return e.Op + ": " + e.Err.Error() }

// Unwrap is what went wrong.
func (e *Error) Unwrap() error { return e.Err }

func failed(op string, err error) error { return &Error{Op: op, Err: err} }

// openError sorts the ways in which an open can fail.
func openError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ESTALE):
		return fmt.Errorf("open: %w", ErrVanished)
	}
	return failed("open", err)
}

// buffers is a pool of byte slices that grow as needed.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[]byte {
	if p, ok := b.pool.Get().(*[]byte); ok {
		*p = (*p)[:0]
		return p
	}
	return new([]byte)
}

func (b *buffers) put(p *[]byte) { b.pool.Put(p) }
