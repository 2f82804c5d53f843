package tree

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Entry is what a record holds of one path.
type Entry struct {
	Path   string // relative to the top; "." for the top itself
	Kind   string // "file", "directory", "symlink", "FIFO", "socket", "character device", "block device"
	Mode   uint32 // 07777
	UID    uint32
	GID    uint32
	Size   int64 // files and symlinks only: others have a size that means nothing
	Mtime  int64 // ns since 1970
	Nlink  uint64
	Group  string // the first path, in byte order, with the same inode, if there are several
	Rdev   uint64
	Xattrs map[string]string
	Target string
	Sum    string     // of a file's content; equal if and only if the contents are, holes or not
	Data   [][2]int64 // where a file has data and no hole: [start, end)
	Error  string     // why the data, or the names of a directory, could not be read
}

// Record looks at everything in a directory, by system calls that need no path, and returns it sorted by path. What cannot be
// read has its Error; what cannot be looked at fails.
func Record(dir string) ([]Entry, error) {
	r := &recorder{seen: make(map[[2]uint64][]int)}
	fd, err := open(unix.AT_FDCWD, dir, unix.O_DIRECTORY)
	if err != nil {
		return nil, fmt.Errorf("record %q: %w", dir, err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	if err := r.one(fd, ".", "."); err != nil {
		return nil, fmt.Errorf("record %q: %w", dir, err)
	}
	r.group()
	slices.SortFunc(r.entries, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	return r.entries, nil
}

type recorder struct {
	entries []Entry
	seen    map[[2]uint64][]int // the entries of an inode
}

// one records a name in an open directory, and what is in it.
func (r *recorder) one(dirfd int, name, path string) error {
	var st unix.Stat_t
	if err := again(func() error { return unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW) }); err != nil {
		return fmt.Errorf("stat %q: %w", path, err)
	}
	e := Entry{Path: path, Kind: kind(st.Mode), Mode: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid, Mtime: st.Mtim.Nano()}
	if e.Kind != "directory" {
		e.Nlink = uint64(st.Nlink)
		id := [2]uint64{st.Dev, st.Ino}
		r.seen[id] = append(r.seen[id], len(r.entries))
	}
	var err error
	if e.Xattrs, err = xattrs("/proc/self/fd/" + strconv.Itoa(dirfd) + "/" + name); err != nil {
		return fmt.Errorf("extended attributes of %q: %w", path, err)
	}
	switch e.Kind {
	case "file":
		e.Size = st.Size
		if err := e.content(dirfd, name); err != nil {
			e.Error = err.Error()
		}
	case "symlink":
		e.Size = st.Size
		buf := make([]byte, unix.PathMax)
		n, err := count(func() (int, error) { return unix.Readlinkat(dirfd, name, buf) })
		if err != nil {
			return fmt.Errorf("read symlink %q: %w", path, err)
		}
		e.Target = string(buf[:n])
	case "character device", "block device":
		e.Rdev = st.Rdev
	case "directory":
		return r.directory(dirfd, name, e)
	}
	r.entries = append(r.entries, e)
	return nil
}

func (r *recorder) directory(dirfd int, name string, e Entry) error {
	fd, err := open(dirfd, name, unix.O_DIRECTORY|unix.O_NOFOLLOW)
	if err != nil {
		e.Error = err.Error()
		r.entries = append(r.entries, e)
		return nil
	}
	d := os.NewFile(uintptr(fd), e.Path)
	defer d.Close() //nolint:errcheck // nothing was written
	names, err := d.Readdirnames(-1)
	if err != nil {
		e.Error = err.Error()
	}
	r.entries = append(r.entries, e)
	for _, name := range names {
		path := name
		if e.Path != "." {
			path = e.Path + "/" + name
		}
		if err := r.one(fd, name, path); err != nil {
			return err
		}
	}
	return nil
}

// group names hard links after the first of them.
func (r *recorder) group() {
	for _, all := range r.seen {
		if len(all) < 2 {
			continue
		}
		first := r.entries[all[0]].Path
		for _, i := range all {
			first = min(first, r.entries[i].Path)
		}
		for _, i := range all {
			r.entries[i].Group = first
		}
	}
}

func kind(mode uint32) string {
	switch mode & unix.S_IFMT {
	case unix.S_IFREG:
		return "file"
	case unix.S_IFDIR:
		return "directory"
	case unix.S_IFLNK:
		return "symlink"
	case unix.S_IFIFO:
		return "FIFO"
	case unix.S_IFSOCK:
		return "socket"
	case unix.S_IFCHR:
		return "character device"
	case unix.S_IFBLK:
		return "block device"
	}
	return fmt.Sprintf("mode %o", mode)
}

func xattrs(path string) (map[string]string, error) {
	buf := make([]byte, 64<<10)
	n, err := count(func() (int, error) { return unix.Llistxattr(path, buf) })
	if errors.Is(err, unix.EOPNOTSUPP) || err == nil && n == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	set := make(map[string]string)
	for _, name := range strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00") {
		n, err := count(func() (int, error) { return unix.Lgetxattr(path, name, buf) })
		if err != nil {
			return nil, fmt.Errorf("%q: %w", name, err)
		}
		set[name] = string(buf[:n])
	}
	return set, nil
}

// content fills Sum and Data.
func (e *Entry) content(dirfd int, name string) error {
	fd, err := open(dirfd, name, unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close() //nolint:errcheck // nothing was written
	for off := int64(0); off < e.Size; {
		start, end, err := extent(fd, off, e.Size)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		e.Data = append(e.Data, [2]int64{start, end})
		off = end
	}
	e.Sum, err = Sum(f, e.Size, e.Data)
	return err
}

// Sum is what Entry.Sum is: over the offsets and bytes of all blocks that are not zeros, and over the size. data is where
// there may be any.
func Sum(f io.ReaderAt, size int64, data [][2]int64) (string, error) {
	const block = 4096
	sum := sha256.New()
	buf := make([]byte, block)
	last := int64(-1) // the last block that was read
	for _, d := range data {
		for at := d[0] - d[0]%block; at < d[1]; at += block {
			if at == last {
				continue
			}
			last = at
			n, err := f.ReadAt(buf, at)
			if err != nil && !errors.Is(err, io.EOF) {
				return "", err
			}
			if len(bytes.Trim(buf[:n], "\x00")) > 0 {
				_, _ = sum.Write(binary.LittleEndian.AppendUint64(nil, uint64(at)))
				_, _ = sum.Write(buf[:n])
			}
		}
	}
	_, _ = sum.Write(binary.LittleEndian.AppendUint64(nil, uint64(size)))
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// extent is the next data at off or behind it.
func extent(fd int, off, size int64) (start, end int64, err error) {
	start, err = seek(fd, off, unix.SEEK_DATA)
	if errors.Is(err, unix.ENXIO) {
		return 0, 0, io.EOF
	}
	if err != nil {
		return off, size, nil // a file system without holes
	}
	end, err = seek(fd, start, unix.SEEK_HOLE)
	return start, end, err
}
