package source

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"io/fs"
	"slices"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

// direntBytes is what one getdents fills at most: about 1,000 names.
const direntBytes = 32 << 10

// List is what a directory has now, sorted by the bytes of the names. If expect is given and the directory is another
// one by now, List fails with ErrVanished. The inside of what is never entered (kernel file systems, mounts of bus3 and, with
// OneFileSystem, other mounts) is empty. Names that vanish meanwhile are left out; those that cannot be looked at are
// left out and are problems. An error is one of the directory itself: nothing of it could be read.
func (t *Tree) List(ctx context.Context, d *Dir, expect *Stat) ([]Stat, []catalog.Problem, error) {
	owner := t.euid
	if expect != nil {
		owner = expect.UID
	}
	fd, err := t.openReading(d, "", owner, unix.O_DIRECTORY)
	if err != nil {
		return nil, nil, openError(err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	self, err := t.fstat(fd, "")
	if err != nil {
		return nil, nil, err
	}
	if expect != nil && !self.same(expect) {
		return nil, nil, openError(unix.ENOENT)
	}
	if t.options.OneFileSystem && self.Dev != t.rootDev || t.neverEntered(fd, self.Dev) != "" {
		return nil, nil, nil
	}
	l := listing{tree: t, dir: d, fd: fd, dev: self.Dev}
	if err := l.readNames(ctx); err != nil {
		return nil, nil, err
	}
	if err := l.statAll(ctx); err != nil {
		return nil, nil, err
	}
	stats := l.stats
	if t.options.SkipCaches && t.isCache(d, stats) {
		stats = slices.DeleteFunc(stats, func(s Stat) bool { return s.Name != cacheTag })
	}
	return stats, l.problems, nil
}

// listing is one List under way.
type listing struct {
	tree     *Tree
	dir      *Dir
	fd       int
	dev      uint64
	slab     []byte // the names, each with a NUL behind it
	stats    []Stat
	problems []catalog.Problem
}

// readNames fills the slab.
func (l *listing) readNames(ctx context.Context) error {
	slab, raw := l.tree.slabs.get(), l.tree.entries.get()
	defer l.tree.slabs.put(slab)
	defer l.tree.entries.put(raw)
	buf := slices.Grow(*raw, direntBytes)[:direntBytes]
	*raw = buf
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := unix.Getdents(l.fd, buf)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ENOENT): // removed while it is open
			return openError(err)
		case err != nil:
			return failed("read directory", err)
		case n == 0:
			l.slab = slices.Clone(*slab)
			return nil
		}
		names, err := appendNames(*slab, buf[:n])
		if err != nil {
			return failed("read directory", err)
		}
		*slab = names
	}
}

// appendNames appends the names in what getdents64 filled, each with a NUL behind it, but not "." and "..".
func appendNames(slab, dirents []byte) ([]byte, error) {
	const header = 19 // inode 8, offset 8, record length 2, type 1
	for len(dirents) > 0 {
		if len(dirents) < header {
			return slab, unix.EIO
		}
		length := int(binary.NativeEndian.Uint16(dirents[16:]))
		if length < header || length > len(dirents) {
			return slab, unix.EIO
		}
		name := dirents[header:length]
		dirents = dirents[length:]
		end := bytes.IndexByte(name, 0)
		if end < 0 {
			return slab, unix.EIO
		}
		if n := string(name[:end]); n == "." || n == ".." {
			continue
		}
		slab = append(slab, name[:end+1]...)
	}
	return slab, nil
}

// statAll turns the slab into the sorted stats. All names are slices of one string.
func (l *listing) statAll(ctx context.Context) error {
	if len(l.slab) == 0 {
		return nil
	}
	all := unsafe.String(&l.slab[0], len(l.slab)) // never written again
	l.stats = make([]Stat, 0, bytes.Count(l.slab, []byte{0}))
	for at := 0; at < len(all); {
		if len(l.stats)%1024 == 1023 && ctx.Err() != nil {
			return ctx.Err()
		}
		end := at + bytes.IndexByte(l.slab[at:], 0)
		l.statOne(all[at:end], &l.slab[at])
		at = end + 1
	}
	slices.SortFunc(l.stats, func(a, b Stat) int { return cmp.Compare(a.Name, b.Name) })
	// A name that is renamed while the directory is read can come twice.
	l.stats = slices.CompactFunc(l.stats, func(a, b Stat) bool { return a.Name == b.Name })
	return nil
}

// statOne adds one name. raw is its first byte, and it ends in NUL.
func (l *listing) statOne(name string, raw *byte) {
	if err := catalog.CheckName(name); err != nil {
		l.problem(name, err)
		return
	}
	var x unix.Statx_t
	switch err := rawStatx(l.fd, raw, 0, statMask, &x); {
	case errors.Is(err, fs.ErrNotExist):
		return
	case err != nil:
		if !l.hiddenMount(raw) {
			l.problem(name, failed("stat", err))
		}
		return
	}
	l.stats = append(l.stats, Stat{Name: name})
	s := &l.stats[len(l.stats)-1]
	fill(s, &x)
	switch {
	case s.Kind == 0:
		l.stats = l.stats[:len(l.stats)-1]
		l.problem(name, failed("stat", unix.EUCLEAN))
	case s.Kind != catalog.Directory && s.Dev != l.dev && x.Attributes&unix.STATX_ATTR_MOUNT_ROOT != 0 && l.leftOut(raw, s.Dev):
		l.stats = l.stats[:len(l.stats)-1]
	}
}

// leftOut tells whether a file that is a mount point of its own (containers have such) belongs to a file system that is not entered.
func (l *listing) leftOut(raw *byte, dev uint64) bool {
	if l.tree.options.OneFileSystem {
		return true
	}
	fd, err := rawOpenat(l.fd, raw, unix.O_PATH)
	if err != nil {
		return false
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	return l.tree.neverEntered(fd, dev) != ""
}

// hiddenMount tells whether a name that nobody may look at is a mount that would be left out anyway: FUSE file systems hide
// themselves even from root, but do tell their device to who asks for nothing else.
func (l *listing) hiddenMount(raw *byte) bool {
	var x unix.Statx_t
	return l.tree.options.OneFileSystem && rawStatx(l.fd, raw, 0, 0, &x) == nil && unix.Mkdev(x.Dev_major, x.Dev_minor) != l.dev
}

func (l *listing) problem(name string, err error) {
	l.problems = append(l.problems, catalog.Problem{Path: l.dir.PathOf(name), Message: err.Error()})
}
