package fs

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/bus3/bus3/catalog"
)

// view is the top of the mount at one time: the finished scans, `latest`, and `by-host`. It is immutable, but for
// what it remembers of scans.
type view struct {
	scans   map[int64]*scanInfo
	numbers []int64 // ascending
	nodes   map[uint64]*virtualNode
	top     *virtualNode
	bytes   int64 // in the newest scans of all sources together
	files   int64
	read    int64 // how many lists there were before this one, and this one
}

// virtualNode is a directory or symlink that no scan has.
type virtualNode struct {
	id       uint64
	name     string
	target   string // of a symlink; empty for a directory
	parent   *virtualNode
	children []*virtualNode
	time     int64 // ns since 1970
}

// virtual tells whether a node ID names a virtual node.
func virtual(node uint64) bool { return node>>61 == 0 }

// newView makes the view of a list of scans. The root's time tells the kernel whether the names in it changed.
func (s *scans) newView(list map[int64]*scanInfo, now bool) *view {
	v := &view{scans: list, nodes: map[uint64]*virtualNode{}}
	for n := range list {
		v.numbers = append(v.numbers, n)
	}
	slices.Sort(v.numbers)
	v.top = &virtualNode{id: fuse.FUSE_ROOT_ID}
	v.top.parent = v.top
	byHost := v.top.child("by-host")
	newest := map[catalog.ID]*scanInfo{}
	for _, n := range v.numbers {
		i := list[n]
		newest[i.Source.ID] = i
		v.top.time = max(v.top.time, i.Finished)
		dir := byHost.child(quoteName(i.Source.Host))
		for part := range strings.SplitSeq(i.Source.Root, "/") {
			if part != "" {
				dir = dir.child(quoteName(part))
			}
		}
		dir.link(i, s.location)
	}
	if now {
		v.top.time = time.Now().UnixNano()
	}
	for _, i := range newest {
		v.bytes += i.Counts.Bytes
		v.files += i.Counts.Files + i.Counts.Dirs + i.Counts.Others
	}
	if n := len(v.numbers); n > 0 {
		last := list[v.numbers[n-1]]
		v.top.children = append(v.top.children, &virtualNode{
			name: "latest", target: strconv.FormatInt(last.Number, 10), parent: v.top, time: last.Finished,
		})
	}
	s.number(v, v.top, "")
	return v
}

// child is the directory of that name in d.
func (d *virtualNode) child(name string) *virtualNode {
	for _, c := range slices.Backward(d.children) {
		if c.name == name && c.target == "" {
			return c
		}
	}
	c := &virtualNode{name: name, parent: d}
	d.children = append(d.children, c)
	return c
}

// link adds the symlink to a scan; number makes its name unique.
func (d *virtualNode) link(i *scanInfo, where *time.Location) {
	up := ""
	for p := d; p.parent != p; p = p.parent {
		up += "../"
		p.time = max(p.time, i.Finished)
	}
	d.children = append(d.children, &virtualNode{
		name:   time.Unix(0, i.Started).In(where).Format("2006-01-02T15:04:05"),
		target: up + strconv.FormatInt(i.Number, 10),
		parent: d,
		time:   i.Finished,
	})
}

// number sorts what is below n, makes names unique, and gives all of it node IDs: the same one whenever the same path
// leads to the same thing, and another if a symlink gets another target, since the kernel caches targets.
func (s *scans) number(v *view, n *virtualNode, path string) {
	if n.id == 0 {
		key := path + "\x00" + n.target
		if s.ids[key] == 0 {
			s.ids[key] = fuse.FUSE_ROOT_ID + 1 + uint64(len(s.ids))
		}
		n.id = s.ids[key]
	}
	v.nodes[n.id] = n
	slices.SortStableFunc(n.children, func(a, b *virtualNode) int {
		if c := cmp.Compare(a.name, b.name); c != 0 {
			return c
		}
		return cmp.Compare(len(a.target), len(b.target)) // directories first: they keep their names
	})
	seen := ""
	for _, c := range n.children {
		if c.name == seen {
			c.name += "-" + c.target[strings.LastIndexByte(c.target, '/')+1:]
			continue
		}
		seen = c.name
	}
	for _, c := range n.children {
		s.number(v, c, path+"/"+c.name)
	}
}

// find is the child of that name.
func (d *virtualNode) find(name string) *virtualNode {
	for _, c := range d.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// inode is the inode number of n, the same in every mount.
func (n *virtualNode) inode() uint64 {
	if n.parent == n {
		return mountInode
	}
	words := []uint64{inodeVirtual, n.parent.inode()}
	for _, b := range []byte(n.name + "\x00" + n.target) {
		words = append(words, uint64(b))
	}
	return hashInode(words...)
}

// attr fills in the attributes of n, which belongs to whoever mounted.
func (n *virtualNode) attr(v *view, out *fuse.Attr) {
	out.Ino = n.inode()
	out.Uid, out.Gid = uint32(os.Geteuid()), uint32(os.Getegid())
	out.Mtime, out.Mtimensec = splitTime(n.time)
	out.Ctime, out.Ctimensec = out.Mtime, out.Mtimensec
	out.Atime, out.Atimensec = out.Mtime, out.Mtimensec
	out.Blksize = block
	if n.target != "" {
		out.Mode, out.Nlink, out.Size = typeBits(catalog.Symlink)|0o777, 1, uint64(len(n.target))
		return
	}
	out.Mode, out.Nlink, out.Size, out.Blocks = typeBits(catalog.Directory)|0o555, 2, block, block/512
	for _, c := range n.children {
		if c.target == "" {
			out.Nlink++
		}
	}
	if n == v.top {
		out.Nlink += uint32(len(v.numbers))
	}
}

// quoteName makes a host or a part of a path the name of a directory: what could not be one, or could harm a terminal, is
// percent-encoded, and so is "%"; what is too long is cut, with a number that tells it from others.
func quoteName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c == 0x7f || c == '/' || c == '%' || i == 0 && c == '.' && (s == "." || s == "..") {
			fmt.Fprintf(&b, "%%%02X", c)
			continue
		}
		b.WriteByte(c)
	}
	name := b.String()
	if len(name) <= catalog.MaxName {
		return name
	}
	words := make([]uint64, len(s))
	for i := range len(s) {
		words[i] = uint64(s[i])
	}
	return fmt.Sprintf("%s%%~%016x", name[:catalog.MaxName-18], hashInode(words...))
}
