package restore

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"github.com/bus3/bus3/catalog"
	"golang.org/x/sys/unix"
)

// errDenied: this user may not make such a thing; it is counted, and no problem of its own.
var errDenied = errors.New("not permitted")

// finish ends a file all of whose data are written, or that has none: it gets its attributes and then its name. fd is the
// open file, or -1; it is closed.
func (r *run) finish(ctx context.Context, f *file, fd int) {
	defer r.done(ctx, f.dir)
	defer r.begun.remove(f)
	err := f.err
	if err == nil {
		err = r.complete(ctx, f, &fd)
	}
	if fd >= 0 {
		_ = unix.Close(fd) // complete closes what counts
	}
	if err != nil {
		r.discard(f)
		f.fail(err)
	}
	r.links.finished(ctx, r, f, err)
	switch {
	case err == nil:
		r.progress.Files.Add(1)
	case !errors.Is(err, errDenied):
		r.problem(f.dir.child(f.entry.Name), err)
	}
}

// discard removes the unfinished file.
func (r *run) discard(f *file) {
	if f.temp == "" {
		return
	}
	h, err := r.handles.open(f.dir)
	if err != nil {
		return
	}
	defer h.close()
	_ = unix.Unlinkat(h.fd, f.temp, 0) // the problem is told in any case
	f.temp = ""
}

func (r *run) complete(ctx context.Context, f *file, fd *int) (err error) {
	if f.entry.Kind != catalog.File {
		return r.completeOther(ctx, f)
	}
	if *fd < 0 {
		if *fd, err = r.open(f, false); err != nil {
			return err
		}
	}
	if err := r.attributes(ctx, *fd, &f.entry, f.dir.inherits); err != nil {
		r.problem(f.dir.child(f.entry.Name), err) // the data are right: better without an attribute than not at all
	}
	err = unix.Close(*fd)
	if *fd = -1; err != nil {
		return fmt.Errorf("close: %w", err)
	}
	h, err := r.handles.open(f.dir)
	if err != nil {
		return err
	}
	defer h.close()
	return rename(h.fd, f.temp, f)
}

// completeOther makes a symlink, FIFO, socket or device.
func (r *run) completeOther(ctx context.Context, f *file) error {
	h, err := r.handles.open(f.dir)
	if err != nil {
		return err
	}
	defer h.close()
	e := &f.entry
	temp := r.temporary()
	if e.Kind == catalog.Symlink {
		err = unix.Symlinkat(e.Target, h.fd, temp)
	} else {
		err = unix.Mknodat(h.fd, temp, formatOf(e.Kind)|0o600, int(e.Rdev))
	}
	if errors.Is(err, unix.EPERM) && e.Kind != catalog.Symlink {
		r.deny(e.Kind.String())
		return errDenied
	}
	if err != nil {
		return fmt.Errorf("make %s: %w", e.Kind, err)
	}
	f.temp = temp
	fd, err := unix.Openat(h.fd, temp, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	err = r.attributesAt(ctx, h.fd, temp, fd, e, f.dir.inherits)
	_ = unix.Close(fd) // nothing was written through it
	if err != nil {
		r.problem(f.dir.child(e.Name), err)
	}
	return rename(h.fd, temp, f)
}

// rename gives a finished file its name: what came there in the meantime is not replaced, unless it was to be.
func rename(at int, temp string, f *file) error {
	name := f.entry.Name
	if !f.replace {
		err := unix.Renameat2(at, temp, at, name, unix.RENAME_NOREPLACE)
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) { // not on this file system
			if err = unix.Linkat(at, temp, at, name, 0); err == nil {
				err = unix.Unlinkat(at, temp, 0)
			}
		}
		if errors.Is(err, unix.EEXIST) {
			return errExists
		}
		if err != nil {
			return fmt.Errorf("rename: %w", err)
		}
		return nil
	}
	err := unix.Renameat(at, temp, at, name)
	if errors.Is(err, unix.EISDIR) {
		if err = unix.Unlinkat(at, name, unix.AT_REMOVEDIR); err == nil {
			err = unix.Renameat(at, temp, at, name)
		} else if errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST) {
			return errors.New("there is a directory that is not empty; it was left as it is")
		}
	}
	if err != nil {
		return fmt.Errorf("rename: %w", err)
	}
	return nil
}

// proc is the path of an open file.
func proc(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

func procName(at int, name string) string { return filepath.Join(proc(at), name) }
