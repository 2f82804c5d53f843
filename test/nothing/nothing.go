package main

import (
	"math"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// nothing is the file system: a tree whose files have nothing but zeros in them.
type nothing struct {
	fuse.RawFileSystem
	tree  []node
	owner fuse.Owner
}

func newNothing(tree []node) *nothing {
	return &nothing{RawFileSystem: fuse.NewDefaultRawFileSystem(), tree: tree, owner: *fuse.CurrentOwner()}
}

// String is the name in debug output.
func (n *nothing) String() string { return "nothing" }

// at is the node with a number that the kernel was given.
func (n *nothing) at(number uint64) *node { return &n.tree[number-1] }

func (n *nothing) attr(number uint64, out *fuse.Attr) {
	e := n.at(number)
	out.Ino, out.Nlink, out.Blksize, out.Owner = number, 1, 4096, n.owner
	out.Mtime, out.Ctime, out.Atime = 1e9, 1e9, 1e9
	out.Mode, out.Size, out.Blocks = e.mode, e.size, (e.size+4095)/4096*8
	if e.mode&syscall.S_IFMT == syscall.S_IFDIR {
		out.Nlink, out.Size, out.Blocks = 2, 4096, 8
	}
}

func (n *nothing) entry(number uint64, out *fuse.EntryOut) {
	out.NodeId, out.Generation = number, 1
	out.EntryValid, out.AttrValid = math.MaxInt32, math.MaxInt32
	n.attr(number, &out.Attr)
}

// Lookup finds a name.
func (n *nothing) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	number := lookup(n.tree, n.at(h.NodeId), name)
	if number == 0 {
		out.EntryValid = math.MaxInt32
		return fuse.OK
	}
	n.entry(number, out)
	return fuse.OK
}

// GetAttr gives the attributes.
func (n *nothing) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	n.attr(in.NodeId, &out.Attr)
	out.AttrValid = math.MaxInt32
	return fuse.OK
}

// Readlink gives the target of a symlink.
func (n *nothing) Readlink(_ <-chan struct{}, h *fuse.InHeader) ([]byte, fuse.Status) {
	return []byte(n.at(h.NodeId).target), fuse.OK
}

// ReadDirPlus lists a directory.
func (n *nothing) ReadDirPlus(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	dir := n.at(in.NodeId)
	for i := dir.first + int(in.Offset); i < dir.last; i++ {
		number := uint64(i + 1)
		e := out.AddDirLookupEntry(fuse.DirEntry{Name: n.tree[i].name, Ino: number, Mode: n.tree[i].mode & syscall.S_IFMT})
		if e == nil {
			break
		}
		n.entry(number, e)
	}
	return fuse.OK
}

// Read gives zeros.
func (n *nothing) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	size := n.at(in.NodeId).size
	if in.Offset >= size {
		return fuse.ReadResultData(nil), fuse.OK
	}
	buf = buf[:min(uint64(len(buf)), size-in.Offset)]
	clear(buf)
	return fuse.ReadResultData(buf), fuse.OK
}

// GetXAttr has none.
func (n *nothing) GetXAttr(<-chan struct{}, *fuse.InHeader, string, []byte) (uint32, fuse.Status) {
	return 0, fuse.ENODATA
}

// ListXAttr has none.
func (n *nothing) ListXAttr(<-chan struct{}, *fuse.InHeader, []byte) (uint32, fuse.Status) {
	return 0, fuse.OK
}

// Open tells the kernel not to ask.
func (n *nothing) Open(<-chan struct{}, *fuse.OpenIn, *fuse.OpenOut) fuse.Status { return fuse.ENOSYS }

// OpenDir tells the kernel not to ask.
func (n *nothing) OpenDir(<-chan struct{}, *fuse.OpenIn, *fuse.OpenOut) fuse.Status {
	return fuse.ENOSYS
}

// Flush tells the kernel not to ask.
func (n *nothing) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.ENOSYS }

// Access tells the kernel not to ask.
func (n *nothing) Access(<-chan struct{}, *fuse.AccessIn) fuse.Status { return fuse.ENOSYS }

// StatFs says that there is no room.
func (n *nothing) StatFs(_ <-chan struct{}, _ *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	out.Bsize, out.Frsize, out.NameLen = 4096, 4096, 255
	return fuse.OK
}
