package restore

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/bus3/bus3/catalog"
	"golang.org/x/sys/unix"
)

// windowFiles is how many files are planned together: enough that what lies together in packs is met together, and 10 MB
// of memory.
const windowFiles = 20000

// firstWindow is how many the first window has, so that writing begins soon; each further one has twice as many.
const firstWindow = 1000

// listing is a directory of the scan that is still to be listed.
type listing struct {
	dir *dir
	ino catalog.ID
}

// walker goes through the directories of a scan, each before those below it.
type walker struct {
	*run
	window  []*file
	size    int // of window, at which it is sent
	windows chan<- []*file
	stack   []listing
}

// walk makes the directories below top in root, and sends all else in windows.
func (r *run) walk(ctx context.Context, root *dir, top *catalog.Entry, windows chan<- []*file) error {
	w := &walker{run: r, windows: windows, size: firstWindow}
	if top.Name == "" {
		root.entry = top
		root.pending.Add(1)
		w.stack = append(w.stack, listing{root, top.Ino})
	} else if err := w.visit(ctx, root, top); err != nil {
		return err
	}
	r.done(ctx, root)
	for len(w.stack) > 0 {
		next := w.stack[len(w.stack)-1]
		w.stack = w.stack[:len(w.stack)-1]
		err := r.cat.List(ctx, r.o.Scan, next.ino, func(e *catalog.Entry) error { return w.visit(ctx, next.dir, e) })
		if err != nil {
			return fmt.Errorf("list %q: %w", next.dir.path(), err)
		}
		r.done(ctx, next.dir)
	}
	return w.flush(ctx)
}

// visit takes one entry up. e is copied.
func (w *walker) visit(ctx context.Context, d *dir, e *catalog.Entry) error {
	if err := catalog.CheckName(e.Name); err != nil {
		w.problem(d.path(), err)
		return nil
	}
	if e.Kind == catalog.Directory {
		return w.visitDir(ctx, d, e)
	}
	f := &file{entry: *e, dir: d}
	d.pending.Add(1)
	kept, err := w.compare(ctx, f)
	switch {
	case err != nil:
		w.problem(d.child(e.Name), err)
		w.done(ctx, d)
		return nil
	case kept:
		w.progress.Kept.Add(1)
		w.links.kept(f)
		w.done(ctx, d)
		return nil
	case w.links.follow(ctx, w.run, f):
		return nil
	}
	if w.window = append(w.window, f); len(w.window) >= w.size {
		return w.flush(ctx)
	}
	return ctx.Err()
}

func (w *walker) flush(ctx context.Context) error {
	if len(w.window) == 0 {
		return nil
	}
	select {
	case w.windows <- w.window:
		w.size = min(2*w.size, windowFiles)
		w.window = nil
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// visitDir makes a directory, or takes the one that is there.
func (w *walker) visitDir(ctx context.Context, d *dir, e *catalog.Entry) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if d.under(e.Ino) {
		w.problem(d.child(e.Name), catalog.Invalidf("directory %s is inside itself", e.Ino))
		return nil
	}
	entry := *e
	made := &dir{parent: d, name: entry.Name, entry: &entry}
	if err := w.makeDir(made); err != nil {
		w.problem(made.path(), err)
		return fatal(err)
	}
	d.pending.Add(1)
	made.pending.Store(1)
	w.stack = append(w.stack, listing{made, e.Ino})
	return nil
}

func (w *walker) makeDir(d *dir) error {
	h, err := w.handles.open(d.parent)
	if err != nil {
		return err
	}
	defer h.close()
	err = unix.Mkdirat(h.fd, d.name, 0o700)
	if errors.Is(err, unix.EEXIST) && w.o.Overwrite && !isDir(h.fd, d.name) {
		if err = unix.Unlinkat(h.fd, d.name, 0); err == nil {
			err = unix.Mkdirat(h.fd, d.name, 0o700)
		}
	}
	switch {
	case err == nil:
		d.fresh = true
		if d.parent.inherits {
			return disinherit(h.fd, d.name)
		}
		return nil
	case errors.Is(err, unix.EEXIST) && isDir(h.fd, d.name):
		return w.enter(h.fd, d)
	case errors.Is(err, unix.EEXIST):
		return errors.New("there is something else that is no directory")
	}
	return fmt.Errorf("make directory: %w", err)
}

// enter takes a directory that was there. If it is the user's own, and he may not read it or write to it, he may until it
// gets its attributes.
func (w *walker) enter(at int, d *dir) error {
	handle, err := unix.Openat(at, d.name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	var st unix.Stat_t
	if err = unix.Fstat(handle, &st); err == nil && st.Mode&0o700 != 0o700 && int(st.Uid) == os.Geteuid() && st.Uid != 0 {
		err = unix.Chmod(proc(handle), st.Mode&0o7777|0o700)
	}
	_ = unix.Close(handle) // nothing was written through it
	if err != nil {
		return fmt.Errorf("get into: %w", err)
	}
	fd, err := unix.Openat(at, d.name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	d.inherits = hasDefaultACL(fd)
	if err := w.tidy(d.destination().fd, fd); err != nil {
		w.problem(d.path(), err)
	}
	return nil
}

func isDir(at int, name string) bool {
	var st unix.Stat_t
	err := unix.Fstatat(at, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR
}

// compare looks whether there is something under the file's name, and tells whether that is to be kept; then it has the
// file's attributes, if things may be overwritten. It is an error if it must not be replaced.
func (w *walker) compare(ctx context.Context, f *file) (kept bool, err error) {
	if f.dir.fresh {
		return false, nil
	}
	h, err := w.handles.open(f.dir)
	if err != nil {
		return false, err
	}
	defer h.close()
	var st unix.Stat_t
	err = unix.Fstatat(h.fd, f.entry.Name, &st, unix.AT_SYMLINK_NOFOLLOW)
	switch {
	case errors.Is(err, unix.ENOENT):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look: %w", err)
	case same(h.fd, &f.entry, &st):
		if !w.o.Overwrite {
			return true, nil
		}
		if kept, err := w.amend(ctx, h.fd, &f.entry, &st); kept || err != nil {
			return kept, err
		}
	case !w.o.Overwrite:
		return false, errExists
	}
	f.replace = true
	return false, nil
}

var errExists = errors.New("there is a different one already; it was left as it is")

// same tells whether what is there looks like e.
func same(at int, e *catalog.Entry, st *unix.Stat_t) bool {
	if st.Mode&unix.S_IFMT != formatOf(e.Kind) {
		return false
	}
	switch e.Kind {
	case catalog.File:
		return st.Size == e.Size && st.Mtim.Nano() == e.Mtime
	case catalog.Symlink:
		buf := make([]byte, catalog.MaxTarget+1)
		n, err := unix.Readlinkat(at, e.Name, buf)
		return err == nil && string(buf[:n]) == e.Target
	case catalog.CharDevice, catalog.BlockDevice:
		return st.Rdev == e.Rdev
	}
	return true
}

// formatOf is the S_IFMT of a kind.
func formatOf(k catalog.Kind) uint32 {
	switch k {
	case catalog.File:
		return unix.S_IFREG
	case catalog.Directory:
		return unix.S_IFDIR
	case catalog.Symlink:
		return unix.S_IFLNK
	case catalog.FIFO:
		return unix.S_IFIFO
	case catalog.Socket:
		return unix.S_IFSOCK
	case catalog.CharDevice:
		return unix.S_IFCHR
	case catalog.BlockDevice:
		return unix.S_IFBLK
	}
	return 0
}
