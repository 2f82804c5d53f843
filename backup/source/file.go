package source

import (
	"errors"
	"io"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

// readAheadFrom is the size from which the kernel is told that a file is read from its start to its end. It finds out by
// itself with small ones.
const readAheadFrom = 1 << 20

// File is a regular file, open for reading.
type File struct {
	tree     *Tree
	fd       int
	stat     Stat
	restless bool // it was still being written when stat was taken
}

// OpenFile opens a file that List or Stat told of. Something else under its name is ErrVanished.
func (t *Tree) OpenFile(d *Dir, s *Stat) (*File, error) {
	if s.Kind != catalog.File {
		return nil, failed("open", errors.New("a "+s.Kind.String()+" has no data"))
	}
	fd, err := t.openReading(d, s.Name, s.UID, 0)
	if errors.Is(err, unix.EAGAIN) { // somebody holds a lease on it, such as Samba
		fd, err = t.openLeased(d, s)
	}
	if err != nil {
		return nil, openError(err)
	}
	f := &File{tree: t, fd: fd}
	if err := f.settle(s); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	if f.stat.Size >= readAheadFrom {
		_ = unix.Fadvise(fd, 0, 0, unix.FADV_SEQUENTIAL) // a hint
	}
	return f, nil
}

// openLeased opens a file whose lease must be given back first, which takes time. That it is a regular file is made sure
// before the kernel is allowed to wait.
func (t *Tree) openLeased(d *Dir, s *Stat) (int, error) {
	pin, err := t.open(d, s.Name, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return -1, err
	}
	defer unix.Close(pin) //nolint:errcheck // nothing was written
	now, err := t.fstat(pin, s.Name)
	if err != nil {
		return -1, err
	}
	if !now.same(s) {
		return -1, unix.ENOENT
	}
	return unix.Open("/proc/self/fd/"+strconv.Itoa(pin), unix.O_RDONLY|unix.O_CLOEXEC, 0)
}

// tick is longer than the kernel's clock for time stamps takes from one step to the next.
const tick = 20 * time.Millisecond

// settle notes the state of the file before its data are read. A file that was changed within this very tick of the clock
// could change again without its time stamps showing it, so the tick is waited for; in vain if it is written all the time.
func (f *File) settle(expect *Stat) error {
	for deadline := time.Now().Add(2 * tick); ; {
		st, err := f.tree.fstat(f.fd, expect.Name)
		if err != nil {
			return err
		}
		if !st.same(expect) {
			return openError(unix.ENOENT)
		}
		now := time.Now()
		age := now.UnixNano() - st.Ctime
		f.stat, f.restless = st, age <= int64(tick) && age >= -int64(tick) // older, or by a clock that is not ours
		if !f.restless || now.After(deadline) {
			return nil
		}
		time.Sleep(tick / 4)
	}
}

// Stat is the state of the file when it was opened, or at the last call of Changed: what is recorded of it.
func (f *File) Stat() Stat { return f.stat }

// Changed tells whether the file is another than at the last call, or since it was opened: size, mtime or ctime differ, or it
// was written so fast then that they could not show it. What was read in between may be a mixture. The state that it returns
// is what the next call compares with, so the file can be read again at once.
func (f *File) Changed() (now Stat, changed bool, err error) {
	before := f.stat
	now, err = f.tree.fstat(f.fd, before.Name)
	if err != nil {
		return now, true, err
	}
	if now.Size == before.Size && now.Mtime == before.Mtime && now.Ctime == before.Ctime && !f.restless {
		return now, false, nil
	}
	err = f.settle(&before)
	return f.stat, true, err
}

// Close closes the file.
func (f *File) Close() error { return unix.Close(f.fd) }

// ReadAt fills p from off on, as io.ReaderAt says.
func (f *File) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for done < len(p) {
		n, err := unix.Pread(f.fd, p[done:], off+int64(done))
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return done, failed("read", err)
		case n == 0:
			return done, io.EOF
		}
		done += n
	}
	return done, nil
}

// NextExtent is the next stretch of the file that holds data, at off or behind it: [start, end). Between such stretches are
// holes. io.EOF says that there is none any more. Where the file system knows of no holes, everything is data.
func (f *File) NextExtent(off int64) (start, end int64, err error) {
	end, err = f.seek(off, unix.SEEK_HOLE)
	if err == nil && end > off { // off lies in data: one call for files without holes
		return off, end, nil
	}
	if err == nil {
		if start, err = f.seek(off, unix.SEEK_DATA); err == nil {
			end, err = f.seek(start, unix.SEEK_HOLE)
		}
	}
	switch {
	case err == nil && end > start:
		return start, end, nil
	case err == nil, errors.Is(err, unix.ENXIO):
		return 0, 0, io.EOF // the end, or the file shrank between two calls
	case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ENOSYS), errors.Is(err, unix.ENOTTY):
		return f.allData(off)
	}
	return 0, 0, failed("find the data", err)
}

func (f *File) seek(off int64, whence int) (int64, error) {
	for {
		at, err := unix.Seek(f.fd, off, whence)
		if !errors.Is(err, unix.EINTR) {
			return at, err
		}
	}
}

func (f *File) allData(off int64) (start, end int64, err error) {
	st, err := f.tree.fstat(f.fd, f.stat.Name)
	if err != nil {
		return 0, 0, err
	}
	if off >= st.Size {
		return 0, 0, io.EOF
	}
	return off, st.Size, nil
}
