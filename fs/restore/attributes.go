package restore

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"unsafe"

	"github.com/bus3/bus3/catalog"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sys/unix"
)

const (
	accessACL  = "system.posix_acl_access"
	defaultACL = "system.posix_acl_default"
	setIDs     = 0o6000
)

// attributes gives an open file or directory its owner, extended attributes, mode and times, in this order: a change of
// owner clears capabilities and setuid, an ACL changes the mode, and everything changes the times. strip removes ACLs that
// it may have from elsewhere.
func (r *run) attributes(ctx context.Context, fd int, e *catalog.Entry, strip bool) error {
	mode := e.Mode
	if err := unix.Fchown(fd, int(e.UID), int(e.GID)); err != nil {
		if !denies(err) {
			return fmt.Errorf("set the owner: %w", err)
		}
		r.deny("owner")
		mode &^= setIDs // they would give the rights of another user
	}
	if strip {
		_ = unix.Fremovexattr(fd, accessACL) // it may have none
		if e.Kind == catalog.Directory {
			_ = unix.Fremovexattr(fd, defaultACL)
		}
	}
	err := r.xattrs(ctx, e, func(name string, value []byte) error { return unix.Fsetxattr(fd, name, value, 0) })
	if err != nil {
		return err
	}
	if err := unix.Fchmod(fd, mode); err != nil {
		return fmt.Errorf("set the mode: %w", err)
	}
	if err := futimens(fd, e.Mtime); err != nil {
		return fmt.Errorf("set the time: %w", err)
	}
	return nil
}

// attributesAt does the same for what cannot be opened: a name in an open directory, and a handle (O_PATH) of it. No
// symlink is followed.
func (r *run) attributesAt(ctx context.Context, at int, name string, handle int, e *catalog.Entry, inherits bool) error {
	mode := e.Mode
	if err := unix.Fchownat(at, name, int(e.UID), int(e.GID), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		if !denies(err) {
			return fmt.Errorf("set the owner: %w", err)
		}
		r.deny("owner")
		mode &^= setIDs
	}
	path := procName(at, name)
	if inherits && e.Kind != catalog.Symlink {
		_ = unix.Lremovexattr(path, accessACL) // it may have none
	}
	if err := r.xattrs(ctx, e, func(name string, value []byte) error { return unix.Lsetxattr(path, name, value, 0) }); err != nil {
		return err
	}
	if e.Kind != catalog.Symlink {
		if err := unix.Chmod(proc(handle), mode); err != nil {
			return fmt.Errorf("set the mode: %w", err)
		}
	}
	times := []unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(e.Mtime)}
	if err := unix.UtimesNanoAt(at, name, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set the time: %w", err)
	}
	return nil
}

// denies tells whether an error says that this user may not, or this file system cannot.
func denies(err error) bool {
	for _, e := range []error{unix.EPERM, unix.EACCES, unix.EINVAL, unix.ENOTSUP} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// xattrs sets the extended attributes of e. Those that may not be set are counted.
func (r *run) xattrs(ctx context.Context, e *catalog.Entry, set func(name string, value []byte) error) error {
	if e.Xattrs == 0 {
		return nil
	}
	xattrs, err := r.values.xattrs(ctx, e.Xattrs)
	if err != nil {
		return err
	}
	for _, x := range xattrs {
		err := set(x.Name, x.Value)
		switch {
		case err == nil:
		case denies(err):
			r.deny(describe(x.Name))
		default:
			return fmt.Errorf("set the extended attribute %q: %w", x.Name, err)
		}
	}
	return nil
}

// describe says what kind of attribute it is.
func describe(name string) string {
	if name == accessACL || name == defaultACL {
		return "ACL"
	}
	space, _, _ := strings.Cut(name, ".")
	return space + ".* attribute"
}

// futimens sets the time of modification of an open file, and leaves the one of access.
func futimens(fd int, mtime int64) error {
	times := [2]unix.Timespec{{Nsec: unix.UTIME_OMIT}, unix.NsecToTimespec(mtime)}
	// utimensat(2) without a path is futimens(3); package unix has no call for it.
	_, _, errno := unix.Syscall6(unix.SYS_UTIMENSAT, uintptr(fd), 0, uintptr(unsafe.Pointer(&times)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// hasDefaultACL tells whether what is made in an open directory inherits an ACL.
func hasDefaultACL(fd int) bool {
	n, err := unix.Fgetxattr(fd, defaultACL, nil)
	return err == nil && n > 0
}

// disinherit takes the ACLs from a new directory that it has from the one above.
func disinherit(at int, name string) error {
	fd, err := unix.Openat(at, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	_ = unix.Fremovexattr(fd, accessACL) // it may have none
	_ = unix.Fremovexattr(fd, defaultACL)
	return unix.Close(fd)
}

const (
	// keptValues is how many sets of attributes are kept, and keptValue how large each may be.
	keptValues = 1024
	keptValue  = 16 << 10
)

// values gives sets of extended attributes by their IDs.
type values struct {
	cat Catalog
	mu  sync.Mutex
	lru *simplelru.LRU[catalog.ID, []catalog.Xattr]
}

func newValues(cat Catalog) *values {
	lru, err := simplelru.NewLRU[catalog.ID, []catalog.Xattr](keptValues, nil)
	if err != nil {
		panic(err) // keptValues is positive
	}
	return &values{cat: cat, lru: lru}
}

func (v *values) get(id catalog.ID) ([]catalog.Xattr, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.lru.Get(id)
}

func (v *values) xattrs(ctx context.Context, id catalog.ID) ([]catalog.Xattr, error) {
	if set, ok := v.get(id); ok {
		return set, nil
	}
	var raw []byte
	err := v.cat.Values(ctx, []catalog.ID{id}, func(q *catalog.Value) error {
		raw = append(raw, q.Bytes...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("get the extended attributes %s: %w", id, err)
	}
	set, err := catalog.DecodeXattrs(raw)
	if err != nil {
		return nil, fmt.Errorf("extended attributes %s: %w", id, err)
	}
	if len(raw) <= keptValue {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.lru.Add(id, set)
	}
	return set, nil
}
