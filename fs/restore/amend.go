package restore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bus3/bus3/catalog"
	"golang.org/x/sys/unix"
)

// amend gives something that is kept, because its content is that of e, the other attributes of e. Only what differs is
// touched. kept is false if it must be replaced instead: it has another name, which may be anywhere, and what is changed
// here would change there.
func (r *run) amend(ctx context.Context, at int, e *catalog.Entry, seen *unix.Stat_t) (kept bool, err error) {
	handle, err := unix.Openat(at, e.Name, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return true, fmt.Errorf("open: %w", err)
	}
	defer unix.Close(handle) //nolint:errcheck // nothing is written through it
	var st unix.Stat_t
	if err := unix.Fstat(handle, &st); err != nil {
		return true, fmt.Errorf("look: %w", err)
	}
	if st.Ino != seen.Ino || st.Dev != seen.Dev {
		return true, errors.New("it was replaced meanwhile; it was left as it is")
	}
	c, err := r.compareXattrs(ctx, proc(handle), e)
	if err != nil {
		return true, err
	}
	owner := st.Uid != e.UID || st.Gid != e.GID
	mode := e.Kind != catalog.Symlink && st.Mode&0o7777 != e.Mode
	if !owner && !mode && !c.differ && st.Mtim.Nano() == e.Mtime {
		return true, nil
	}
	if st.Nlink > 1 {
		return false, nil
	}
	return true, r.change(ctx, handle, e, c.extra)
}

// change sets all attributes of a handle (O_PATH) to those of e, in the order that attributes has. No name is looked up
// again: whoever may write to the directory cannot have another file changed.
func (r *run) change(ctx context.Context, handle int, e *catalog.Entry, extra []string) error {
	path, mode := proc(handle), e.Mode
	if err := unix.Fchownat(handle, "", int(e.UID), int(e.GID), unix.AT_EMPTY_PATH); err != nil {
		if !denies(err) {
			return fmt.Errorf("set the owner: %w", err)
		}
		r.deny("owner")
		mode &^= setIDs // they would give the rights of another user
	}
	for _, name := range extra {
		if err := unix.Removexattr(path, name); err != nil && !errors.Is(err, unix.ENODATA) {
			if !denies(err) {
				return fmt.Errorf("remove the extended attribute %q: %w", name, err)
			}
			r.deny(describe(name))
		}
	}
	if err := r.xattrs(ctx, e, func(name string, value []byte) error { return unix.Setxattr(path, name, value, 0) }); err != nil {
		return err
	}
	if e.Kind != catalog.Symlink {
		if err := unix.Chmod(path, mode); err != nil {
			return fmt.Errorf("set the mode: %w", err)
		}
	}
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(e.Mtime)}
	if err := unix.UtimesNanoAt(handle, "", times, unix.AT_EMPTY_PATH); err != nil {
		return fmt.Errorf("set the time: %w", err)
	}
	return nil
}

// comparison is how extended attributes differ from those of an entry.
type comparison struct {
	differ bool
	extra  []string // that the entry does not have
}

// compareXattrs compares the extended attributes of what a path in /proc leads to.
func (r *run) compareXattrs(ctx context.Context, path string, e *catalog.Entry) (c comparison, err error) {
	names, err := listXattrs(path)
	if err != nil {
		return c, err
	}
	var want []catalog.Xattr
	if e.Xattrs != 0 {
		if want, err = r.values.xattrs(ctx, e.Xattrs); err != nil {
			return c, err
		}
	}
	has := make(map[string]bool, len(want))
	for _, x := range want {
		has[x.Name] = true
		value := make([]byte, len(x.Value)+1)
		n, err := unix.Getxattr(path, x.Name, value)
		c.differ = c.differ || err != nil || !bytes.Equal(value[:n], x.Value)
	}
	for _, name := range names {
		if !has[name] && ours(name) {
			c.differ = true
			c.extra = append(c.extra, name)
		}
	}
	return c, nil
}

// ours tells whether an extended attribute that an entry does not have is to go. Labels of security modules belong to
// the system that the file is on.
func ours(name string) bool {
	return strings.HasPrefix(name, "user.") || strings.HasPrefix(name, "trusted.") ||
		name == accessACL || name == "security.capability"
}

// listXattrs lists the names of the extended attributes.
func listXattrs(path string) ([]string, error) {
	const most = 64 << 10 // what the kernel lists at most
	buf := make([]byte, 4<<10)
	n, err := unix.Listxattr(path, buf)
	if errors.Is(err, unix.ERANGE) {
		buf = make([]byte, most)
		n, err = unix.Listxattr(path, buf)
	}
	if errors.Is(err, unix.ENOTSUP) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list the extended attributes: %w", err)
	}
	return strings.FieldsFunc(string(buf[:n]), func(r rune) bool { return r == 0 }), nil
}
