package restore

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/bus3/bus3/catalog"
	"golang.org/x/sys/unix"
)

// file is anything but a directory, from when the walker met it until it is done.
type file struct {
	entry   catalog.Entry
	dir     *dir
	replace bool // what is there now
	leads   *leader

	pending atomic.Int64 // units that are not written yet

	mu   sync.Mutex
	temp string // its name until it is whole; "": not made yet
	ino  uint64 // of temp, if several units write to it
	err  error
}

// fail notes the first reason why the file cannot be restored.
func (f *file) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

func (f *file) failed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err != nil
}

// temporary is a name for something unfinished.
func (r *run) temporary() string { return r.prefix + strconv.FormatInt(r.counter.Add(1), 36) }

// begun is the unfinished files that several units write to: what is left of them when the restore is given up.
type begun struct {
	mu    sync.Mutex
	files map[*file]struct{}
}

func (b *begun) add(f *file) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.files[f] = struct{}{}
}

func (b *begun) remove(f *file) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.files, f)
}

// discardAll removes what was not finished. No worker may run any more.
func (r *run) discardAll() {
	for f := range r.begun.files {
		r.discard(f)
	}
}

// maxReadErrors is how many reads in a row may fail, for other reasons than damage, before the store is taken for gone.
const maxReadErrors = 8

// work does tasks until there are none.
func (r *run) work(ctx context.Context, tasks <-chan task) error {
	for t := range tasks {
		for _, f := range t.plain {
			if err := ctx.Err(); err != nil {
				return err
			}
			r.finish(ctx, f, -1)
			if err := fatal(f.err); err != nil {
				return err
			}
		}
		for i := range t.units {
			if err := r.unit(ctx, &t.units[i]); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// unit writes one chunk into its file. Only what ends the whole restore is returned.
func (r *run) unit(ctx context.Context, u *unit) error {
	if err := ctx.Err(); err != nil || u.file.failed() {
		r.settleOr(ctx, err, u.file)
		return err
	}
	var written error
	fd := -1
	err := r.reader.Chunk(ctx, &u.place, func(plain []byte) error {
		fd, written = r.write(u, plain)
		return nil
	})
	switch {
	case err != nil && ctx.Err() != nil:
		written = ctx.Err()
		err = written
	case err != nil:
		written = err
		if err = nil; r.errors.Add(1) > maxReadErrors {
			err = fmt.Errorf("nothing can be read any more: %w", written)
		}
	default:
		r.errors.Store(0)
		err = fatal(written)
	}
	if written != nil {
		u.file.fail(written)
	}
	if u.file.pending.Add(-1) == 0 {
		r.finish(ctx, u.file, fd)
	} else if fd >= 0 {
		if cerr := unix.Close(fd); cerr != nil {
			u.file.fail(fmt.Errorf("close: %w", cerr))
		}
	}
	return err
}

func (r *run) settleOr(ctx context.Context, err error, f *file) {
	if err != nil {
		f.fail(err)
	}
	r.settle(ctx, f)
}

// settle tells that a unit of f, or its planning, is done.
func (r *run) settle(ctx context.Context, f *file) {
	if f.pending.Add(-1) == 0 {
		r.finish(ctx, f, -1)
	}
}

// fatal gives errors back that every other file would meet as well.
func fatal(err error) error {
	for _, e := range []error{unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.EIO} {
		if errors.Is(err, e) {
			return err
		}
	}
	return nil
}

// write puts a chunk into the temporary file, and returns that, open.
func (r *run) write(u *unit, plain []byte) (fd int, err error) {
	f := u.file
	// Who writes a file that is one chunk is the only one who opens it.
	if fd, err = r.open(f, f.entry.Content == 0 && int64(len(plain)) >= f.entry.Size); err != nil {
		return -1, err
	}
	plain = plain[:min(int64(len(plain)), f.entry.Size-u.off)]
	for off := u.off; len(plain) > 0; {
		n, err := unix.Pwrite(fd, plain, off)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fd, fmt.Errorf("write: %w", err)
		}
		plain, off = plain[n:], off+int64(n)
		r.progress.Bytes.Add(int64(n))
	}
	return fd, nil
}

// open opens the temporary file of f. Who comes first makes it, and gives it its size, unless one write does.
func (r *run) open(f *file, whole bool) (fd int, err error) {
	h, err := r.handles.open(f.dir)
	if err != nil {
		return -1, err
	}
	defer h.close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.temp != "" {
		return reopenFile(h.fd, f)
	}
	temp := r.temporary()
	fd, err = unix.Openat(h.fd, temp, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return -1, fmt.Errorf("create: %w", err)
	}
	f.temp = temp
	if whole {
		return fd, nil
	}
	r.begun.add(f)
	if err := f.prepare(fd); err != nil {
		_ = unix.Close(fd) // it failed already
		return -1, err
	}
	return fd, nil
}

// prepare makes a new file, open as fd, one that several units can write to.
func (f *file) prepare(fd int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("look: %w", err)
	}
	f.ino = st.Ino
	if f.entry.Size == 0 {
		return nil
	}
	if err := unix.Ftruncate(fd, f.entry.Size); err != nil {
		return fmt.Errorf("set the size: %w", err)
	}
	return nil
}

// reopenFile opens the temporary file again. Somebody who may write to the directory could have put another file of the
// same name there, or a FIFO to wait for: that is not written to.
func reopenFile(at int, f *file) (fd int, err error) {
	fd, err = unix.Openat(at, f.temp, unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("open: %w", err)
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil && st.Ino != f.ino {
		err = errors.New("somebody has put another file in its place")
	}
	if err != nil {
		_ = unix.Close(fd) // nothing was written
		return -1, fmt.Errorf("open again: %w", err)
	}
	return fd, nil
}
