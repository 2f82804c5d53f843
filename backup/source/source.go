// Package source reads the tree on disk that is backed up: names, attributes and data, exactly as they are, without
// following a symlink, opening a device or entering what the kernel makes up.
//
// Everything is addressed by a directory and a name (Dir), never by a path from the outside, so depth is not limited by
// PATH_MAX. Whatever is opened is compared, by device and inode, with what was seen before; so a name that is
// exchanged between two steps is ErrVanished, and never somebody else's data.
package source

import (
	"errors"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

// ErrVanished: what was listed is not there any more; its name is gone, or something else has it.
var ErrVanished = errors.New("it vanished, or was replaced, during the backup")

// Options say what of a tree is left out. The zero value leaves out only what can never be backed up.
type Options struct {
	// OneFileSystem leaves out the inside of other file systems that are mounted in the tree. Their mount points stay,
	// as empty directories.
	OneFileSystem bool
	// SkipCaches leaves out of directories that hold a valid CACHEDIR.TAG everything but that tag.
	SkipCaches bool
}

// Stat is what stat(2) tells about one name, and the name.
type Stat struct {
	Name  string // bytes, as on disk; "" for the root of the tree
	Kind  catalog.Kind
	Mode  uint32 // permissions, setuid, setgid, sticky: 07777 at most
	UID   uint32
	GID   uint32
	Nlink uint32
	Size  int64 // bytes
	Mtime int64 // ns since 1970, in UTC
	Ctime int64 // ns since 1970, in UTC
	Rdev  uint64
	Dev   uint64
	Ino   uint64
}

// same tells whether a and b are the same thing on disk, whatever it is called now.
func (s *Stat) same(b *Stat) bool {
	return s.Dev == b.Dev && s.Ino == b.Ino && s.Kind == b.Kind
}

// Tree is an open tree. It is safe for concurrent use.
type Tree struct {
	options Options
	root    *Dir
	fd      int // of the root, O_PATH
	rootDev uint64
	beneath bool // the kernel has openat2
	euid    uint32

	paths   buffers // paths that are being opened
	slabs   buffers // names that are being listed
	entries buffers // what getdents filled
	large   buffers // extended attributes

	mu     sync.Mutex
	closed map[uint64]string // by st_dev: why a file system is never entered; "": it is
}

// Open opens the tree at root, an absolute path. It refuses a root that lies in a kernel file system or in a mount of
// bus3, since nothing of it would be backed up.
func Open(root string, o Options) (*Tree, error) {
	if root == "" || root[0] != '/' {
		return nil, fmt.Errorf("open %q: not an absolute path", root)
	}
	t := &Tree{options: o, root: &Dir{name: root}, euid: uint32(unix.Geteuid()), closed: make(map[uint64]string)}
	fd, err := openRoot(root)
	if err != nil {
		return nil, fmt.Errorf("open %q: %w", root, err)
	}
	t.fd = fd
	t.beneath = hasOpenat2(fd)
	st, err := t.fstat(fd, "")
	if err != nil {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open %q: %w", root, err)
	}
	t.rootDev = st.Dev
	if why := t.neverEntered(fd, st.Dev); why != "" {
		_ = unix.Close(fd)
		return nil, fmt.Errorf("open %q: it lies in %s, which is never backed up", root, why)
	}
	return t, nil
}

// Close releases the tree. Files that are still open stay so.
func (t *Tree) Close() error { return unix.Close(t.fd) }

// Root is the root directory of the tree, with an empty name.
func (t *Tree) Root() (*Dir, Stat, error) {
	st, err := t.fstat(t.fd, "")
	return t.root, st, err
}

// Stat looks at one name again: what it is now. ErrVanished if it is gone.
func (t *Tree) Stat(d *Dir, name string) (Stat, error) {
	fd, err := t.open(d, name, unix.O_PATH|unix.O_NOFOLLOW)
	if err != nil {
		return Stat{}, openError(err)
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	return t.fstat(fd, name)
}
