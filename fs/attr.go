package fs

import (
	"math"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

const (
	// forever is how long the kernel may keep what it learns about a finished scan.
	forever = math.MaxInt32 // seconds
	// briefly is how long it may keep what changes when a scan comes or goes.
	briefly = 1 // second
)

// inlineTarget: the targets of shorter symlinks take no block.
const inlineTarget = 60

// attr fills in the attributes of item i.
func (l *listing) attr(i int, out *fuse.Attr) {
	it := &l.items[i]
	out.Ino = l.inode(i)
	out.Size = uint64(it.size)
	out.Blocks = l.blocks(i)
	out.Mtime, out.Mtimensec = splitTime(it.mtime)
	out.Ctime, out.Ctimensec = splitTime(it.ctime)
	out.Atime, out.Atimensec = out.Mtime, out.Mtimensec
	out.Mode = uint32(it.mode) | typeBits(it.kind)
	out.Nlink = max(it.nlink, 1)
	out.Uid, out.Gid = it.uid, it.gid
	out.Blksize = block
	switch it.kind {
	case catalog.Directory:
		if out.Size == 0 {
			out.Size = block
		}
	case catalog.Symlink:
		out.Size = uint64(len(l.target(i)))
	case catalog.CharDevice, catalog.BlockDevice:
		out.Rdev = encodeDevice(uint64(it.data))
	}
}

// blocks is how many times 512 bytes the item takes.
func (l *listing) blocks(i int) uint64 {
	it := &l.items[i]
	switch it.kind {
	case catalog.File:
		n, known := l.dataBytes(i)
		if !known {
			n = it.size
		}
		return blocksOf(n)
	case catalog.Directory:
		return blocksOf(max(it.size, 1))
	case catalog.Symlink:
		if n := len(l.target(i)); n >= inlineTarget {
			return blocksOf(int64(n))
		}
	}
	return 0
}

func blocksOf(n int64) uint64 { return (uint64(n) + block - 1) / block * (block / 512) }

// splitTime is ns since 1970 as FUSE wants it: seconds, rounded down, as the bits of an int64, and what is left.
func splitTime(ns int64) (sec uint64, nsec uint32) {
	s, n := ns/int64(time.Second), ns%int64(time.Second)
	if n < 0 {
		s, n = s-1, n+int64(time.Second)
	}
	return uint64(s), uint32(n)
}

// typeBits are the bits of st_mode that tell a kind.
func typeBits(k catalog.Kind) uint32 {
	switch k {
	case catalog.Directory:
		return syscall.S_IFDIR
	case catalog.Symlink:
		return syscall.S_IFLNK
	case catalog.FIFO:
		return syscall.S_IFIFO
	case catalog.Socket:
		return syscall.S_IFSOCK
	case catalog.CharDevice:
		return syscall.S_IFCHR
	case catalog.BlockDevice:
		return syscall.S_IFBLK
	}
	return syscall.S_IFREG
}

// encodeDevice is a device number of stat(2) in the form that the kernel's new_decode_dev reads.
func encodeDevice(rdev uint64) uint32 {
	major, minor := unix.Major(rdev), unix.Minor(rdev)
	return minor&0xff | major<<8 | minor&^0xff<<12
}
