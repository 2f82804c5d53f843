package source

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

// attributeBytes is the most that the kernel gives in one call, for a list of names and for a value alike.
const attributeBytes = 64 << 10

// Attributes is what a name has besides its Stat: the target if it is a symlink, and its extended attributes, ACLs among
// them, sorted by name. Nothing is followed. Something else under the name is ErrVanished. If only some attributes could be read, they
// are returned together with the error.
func (t *Tree) Attributes(d *Dir, s *Stat) (target string, xattrs []catalog.Xattr, err error) {
	fd, err := t.open(d, s.Name, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return "", nil, openError(err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	now, err := t.fstat(fd, s.Name)
	if err != nil {
		return "", nil, err
	}
	if !now.same(s) {
		return "", nil, openError(unix.ENOENT)
	}
	if s.Kind == catalog.Symlink {
		if target, err = readTarget(fd); err != nil {
			return "", nil, err
		}
	}
	xattrs, err = t.xattrs(byPath("/proc/self/fd/" + strconv.Itoa(fd)))
	return target, xattrs, err
}

// Xattrs is the extended attributes of an open file, as Attributes has them, with fewer system calls.
func (f *File) Xattrs() ([]catalog.Xattr, error) { return f.tree.xattrs(byFD(f.fd)) }

// readTarget reads what the symlink says that is open, with O_PATH, as fd.
func readTarget(fd int) (string, error) {
	var buf [catalog.MaxTarget + 1]byte
	n, err := unix.Readlinkat(fd, "", buf[:])
	switch {
	case err != nil:
		return "", failed("read symlink", err)
	case n == 0 || n > catalog.MaxTarget:
		return "", failed("read symlink", unix.EUCLEAN)
	}
	return string(buf[:n]), nil
}

// attributed is a thing that has extended attributes.
type attributed interface {
	list(buf []byte) (int, error)
	get(name string, buf []byte) (int, error)
}

type byFD int

func (fd byFD) list(buf []byte) (int, error)             { return unix.Flistxattr(int(fd), buf) }
func (fd byFD) get(name string, buf []byte) (int, error) { return unix.Fgetxattr(int(fd), name, buf) }

// byPath is a link in /proc/self/fd: following it leads to what is open, and no further, even if that is a symlink.
type byPath string

func (p byPath) list(buf []byte) (int, error)             { return unix.Listxattr(string(p), buf) }
func (p byPath) get(name string, buf []byte) (int, error) { return unix.Getxattr(string(p), name, buf) }

// xattrs reads all extended attributes. Those that vanish between the list and the look are left out.
func (t *Tree) xattrs(of attributed) ([]catalog.Xattr, error) {
	p := t.large.get()
	defer t.large.put(p)
	buf := slices.Grow(*p, attributeBytes)[:attributeBytes]
	*p = buf
	n, err := of.list(buf)
	switch {
	case errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS), err == nil && n == 0:
		return nil, nil
	case err != nil:
		return nil, failed("list extended attributes", err)
	}
	names := string(buf[:n])
	var set []catalog.Xattr
	var first error
	total := 1
	for at := 0; at < n; {
		end := at + bytes.IndexByte([]byte(names[at:]), 0)
		if end < at {
			end = n
		}
		name := names[at:end]
		at = end + 1
		if name == "" || len(name) > 255 {
			continue
		}
		size, err := of.get(name, buf)
		switch {
		case errors.Is(err, unix.ENODATA):
			continue
		case err != nil:
			if first == nil {
				first = fmt.Errorf("read extended attribute %q: %w", name, err)
			}
			continue
		}
		if total += len(name) + size + 8; total > catalog.MaxValue {
			return set, fmt.Errorf("extended attributes: more than %d bytes", catalog.MaxValue)
		}
		set = append(set, catalog.Xattr{Name: name, Value: slices.Clone(buf[:size])})
	}
	slices.SortFunc(set, func(a, b catalog.Xattr) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return set, first
}
