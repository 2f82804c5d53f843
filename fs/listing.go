package fs

import (
	"math"
	"sort"
	"sync/atomic"
	"unsafe"

	"github.com/bus3/bus3/catalog"
)

// listing is what the catalog says about the names of one directory in one scan, in little memory and without pointers
// for the garbage collector. It is immutable, but for item.stored. One entry that was asked for by itself is a listing
// of one item.
type listing struct {
	key   dirKey
	items []item // in byte order of their names
	text  string // name and target of each
	used  atomic.Bool
}

// item is the part of an entry that the mount shows.
type item struct {
	id     catalog.ID
	ino    catalog.ID
	size   int64
	mtime  int64
	ctime  int64
	xattrs catalog.ID
	data   catalog.ID // chunk or content; of a device the device number
	stored int64      // bytes of data, holes not counted; unknown (-1) until somebody asks. Atomic.
	text   uint32     // where its name begins in listing.text; its target follows, up to where the next item begins
	uid    uint32
	gid    uint32
	nlink  uint32
	mode   uint16 // permissions, setuid, setgid, sticky
	kind   catalog.Kind
	flags  catalog.Flag
	name   uint8 // bytes
	traits uint8
}

const unknown = -1

const (
	isContent = 1 << iota // data is a content, not a chunk
	isRoot                // the top directory of a scan
)

func (it *item) root() bool { return it.traits&isRoot != 0 }

// unreadable tells whether the file has data that are not in the backup.
func (it *item) unreadable() bool {
	return it.flags&catalog.Unreadable != 0 || it.flags&catalog.Lost != 0 && it.data == 0 && it.size > 0
}

func (l *listing) name(i int) string {
	it := &l.items[i]
	return l.text[it.text : it.text+uint32(it.name)]
}

func (l *listing) target(i int) string {
	end := len(l.text)
	if i+1 < len(l.items) {
		end = int(l.items[i+1].text)
	}
	return l.text[int(l.items[i].text)+int(l.items[i].name) : end]
}

// find is the position of a name.
func (l *listing) find(name string) (int, bool) {
	i := sort.Search(len(l.items), func(i int) bool { return l.name(i) >= name })
	return i, i < len(l.items) && l.name(i) == name
}

// bytes is about how much memory l takes, its places in the node index included.
func (l *listing) bytes() int64 {
	const indexed = 48 // a place in the index, at the load that Go's maps have
	return int64(len(l.items))*(int64(unsafe.Sizeof(item{}))+indexed) + int64(len(l.text)) + 256
}

// entry is item i as the reader of its data wants it.
func (l *listing) entry(i int) *catalog.Entry {
	it := &l.items[i]
	e := &catalog.Entry{
		ID: it.id, Dir: l.key.dir, Name: l.name(i), Last: catalog.Open,
		Ino: it.ino, Kind: it.kind, Flags: it.flags, Mode: uint32(it.mode), UID: it.uid, GID: it.gid, Size: it.size,
		Mtime: it.mtime, Ctime: it.ctime, Nlink: it.nlink, Target: l.target(i), Xattrs: it.xattrs,
	}
	switch {
	case it.kind != catalog.File:
	case it.traits&isContent != 0:
		e.Content = it.data
	default:
		e.Chunk = it.data
	}
	return e
}

// builder makes listings; its buffers are used again and again.
type builder struct {
	items []item
	text  []byte
}

// add takes one more entry, in byte order of the names.
func (b *builder) add(e *catalog.Entry) error {
	if !e.IsRoot() {
		if err := catalog.CheckName(e.Name); err != nil {
			return err
		}
	}
	if len(b.text)+len(e.Name)+len(e.Target) > math.MaxUint32 || len(e.Target) > catalog.MaxTarget {
		return catalog.Invalidf("a directory with more than %d bytes of names", len(b.text))
	}
	it := item{
		id: e.ID, ino: e.Ino, size: e.Size, mtime: e.Mtime, ctime: e.Ctime, xattrs: e.Xattrs,
		text: uint32(len(b.text)), uid: e.UID, gid: e.GID, nlink: e.Nlink,
		mode: uint16(e.Mode & 0o7777), kind: e.Kind, flags: e.Flags, name: uint8(len(e.Name)),
	}
	switch {
	case e.Kind == catalog.CharDevice || e.Kind == catalog.BlockDevice:
		it.data = catalog.ID(e.Rdev)
	case e.Content != 0:
		it.data, it.traits = e.Content, isContent
	default:
		it.data = e.Chunk
	}
	if e.IsRoot() {
		it.traits |= isRoot
	}
	it.stored = it.cheaplyStored()
	b.items = append(b.items, it)
	b.text = append(append(b.text, e.Name...), e.Target...)
	return nil
}

// listing is what was added since the last one. It is an error if the names were not in order.
func (b *builder) listing(k dirKey) (*listing, error) {
	l := &listing{key: k, items: append([]item(nil), b.items...), text: string(b.text)}
	b.items, b.text = b.items[:0], b.text[:0]
	for i := 1; i < len(l.items); i++ {
		if l.name(i-1) >= l.name(i) {
			return nil, catalog.Invalidf("the names of directory %s in scan %d are out of order at %q", k.dir, k.scan, l.name(i))
		}
	}
	return l, nil
}

// single is a listing of one entry.
func single(scan int64, e *catalog.Entry) (*listing, error) {
	var b builder
	if err := b.add(e); err != nil {
		return nil, err
	}
	return b.listing(dirKey{scan: scan, dir: e.Dir})
}
