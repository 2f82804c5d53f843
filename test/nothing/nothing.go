package main

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// nothing is the file system. Node 1 is its root, node 2+d directory d, and node 1<<63 | (2+d)<<32 | f file f of it.
type nothing struct {
	fuse.RawFileSystem
	dirs, files []string // names
	content     []byte
	owner       fuse.Owner
}

const (
	fileBit  = 1 << 63
	fileBits = 32
)

func newNothing(dirs, files, size int) *nothing {
	n := &nothing{
		RawFileSystem: fuse.NewDefaultRawFileSystem(),
		content:       []byte(strings.Repeat("nothing ", size/8+1))[:size],
		owner:         *fuse.CurrentOwner(),
	}
	for d := range dirs {
		n.dirs = append(n.dirs, fmt.Sprintf("d%05d", d))
	}
	for f := range files {
		n.files = append(n.files, fmt.Sprintf("f%05d", f))
	}
	return n
}

// String is the name in debug output.
func (n *nothing) String() string { return "nothing" }

func (n *nothing) attr(node uint64, out *fuse.Attr) {
	out.Ino, out.Nlink, out.Blksize, out.Owner = node, 1, 4096, n.owner
	out.Mtime, out.Ctime, out.Atime = 1e9, 1e9, 1e9
	if node&fileBit == 0 {
		out.Mode, out.Nlink, out.Size, out.Blocks = syscall.S_IFDIR|0o755, 2, 4096, 8
		return
	}
	out.Mode, out.Size, out.Blocks = syscall.S_IFREG|0o644, uint64(len(n.content)), uint64(len(n.content)+4095)/4096*8
}

func (n *nothing) entry(node uint64, out *fuse.EntryOut) {
	out.NodeId, out.Generation = node, 1
	out.EntryValid, out.AttrValid = math.MaxInt32, math.MaxInt32
	n.attr(node, &out.Attr)
}

// names are those of a directory, and child the node of each.
func (n *nothing) names(node uint64) []string {
	if node == fuse.FUSE_ROOT_ID {
		return n.dirs
	}
	return n.files
}

func child(node uint64, i int) uint64 {
	if node == fuse.FUSE_ROOT_ID {
		return 2 + uint64(i)
	}
	return fileBit | node<<fileBits | uint64(i)
}

// Lookup finds a name by its number.
func (n *nothing) Lookup(_ <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	names := n.names(h.NodeId)
	i, err := strconv.Atoi(strings.TrimLeft(name, "df"))
	if err != nil || i < 0 || i >= len(names) || names[i] != name {
		out.EntryValid = math.MaxInt32
		return fuse.OK
	}
	n.entry(child(h.NodeId, i), out)
	return fuse.OK
}

// GetAttr gives the attributes, the same for all.
func (n *nothing) GetAttr(_ <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	n.attr(in.NodeId, &out.Attr)
	out.AttrValid = math.MaxInt32
	return fuse.OK
}

// ReadDirPlus lists a directory.
func (n *nothing) ReadDirPlus(_ <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	names, mode := n.names(in.NodeId), uint32(syscall.S_IFREG)
	if in.NodeId == fuse.FUSE_ROOT_ID {
		mode = syscall.S_IFDIR
	}
	for i := int(in.Offset); i < len(names); i++ {
		node := child(in.NodeId, i)
		e := out.AddDirLookupEntry(fuse.DirEntry{Name: names[i], Ino: node, Mode: mode})
		if e == nil {
			break
		}
		n.entry(node, e)
	}
	return fuse.OK
}

// Read gives the content, the same for all.
func (n *nothing) Read(_ <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	if in.Offset >= uint64(len(n.content)) {
		return fuse.ReadResultData(nil), fuse.OK
	}
	return fuse.ReadResultData(buf[:copy(buf, n.content[in.Offset:])]), fuse.OK
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
