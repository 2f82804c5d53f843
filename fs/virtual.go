package fs

import (
	"context"
	"errors"
	"math"
	"strconv"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/bus3/bus3/catalog"
)

func notFound(err error) bool { return errors.Is(err, catalog.ErrNotFound) }

// lookupVirtual finds a name in the mount's root, or below `by-host`. What it finds may soon be gone or moved, so the
// kernel asks again after a moment.
func (f *filesystem) lookupVirtual(ctx *request, node uint64, name string, out *fuse.EntryOut) fuse.Status {
	v := f.scans.view(ctx)
	n := v.nodes[node]
	switch {
	case n == nil:
		return fuse.ENOENT
	case n.target != "" && name != ".":
		return fuse.ENOTDIR
	case name == ".":
	case name == "..":
		n = n.parent
	default:
		if i := v.scan(name); i != nil && n == v.top {
			return f.lookupScan(ctx, i, out)
		}
		if n = n.find(name); n == nil {
			return fuse.ENOENT
		}
	}
	n.fill(v, out)
	return fuse.OK
}

func (n *virtualNode) fill(v *view, out *fuse.EntryOut) {
	out.NodeId, out.Generation = n.id, 1
	out.EntryValid, out.AttrValid = briefly, briefly
	n.attr(v, &out.Attr)
}

// scan is the scan that has that name in the mount's root.
func (v *view) scan(name string) *scanInfo {
	n, err := strconv.ParseInt(name, 10, 64)
	if err != nil || strconv.FormatInt(n, 10) != name {
		return nil
	}
	return v.scans[n]
}

func (f *filesystem) lookupScan(ctx context.Context, i *scanInfo, out *fuse.EntryOut) fuse.Status {
	top, err := f.topOf(ctx, i)
	if err != nil {
		return f.failed(ctx, "open scan "+strconv.FormatInt(i.Number, 10)+" in", fuse.FUSE_ROOT_ID, err)
	}
	f.fill(place{top, 0}, out)
	out.EntryValid = briefly // the scan may be removed
	return fuse.OK
}

// topOf is the top directory of a scan.
func (f *filesystem) topOf(ctx context.Context, i *scanInfo) (*listing, error) {
	top, err := f.knownTop(i)
	if top != nil || err != nil {
		return top, err
	}
	read := f.scans.current.Load().read
	e, err := f.cat.Root(ctx, i.Number)
	if err != nil {
		return nil, err
	}
	top, err = f.keepTop(i, &e)
	if err == nil {
		f.tops.add(i, &e, read)
	}
	return top, err
}

// knownTop is the top directory of a scan if no query is needed for it, else nil.
func (f *filesystem) knownTop(i *scanInfo) (*listing, error) {
	if top := i.top.Load(); top != nil {
		return top, nil
	}
	if e, ok := f.tops.of(i); ok {
		return f.keepTop(i, &e)
	}
	return nil, nil
}

// keepTop remembers that e is the top directory of a scan.
func (f *filesystem) keepTop(i *scanInfo, e *catalog.Entry) (*listing, error) {
	p, err := f.keep(i.Number, 0, e)
	if err != nil {
		return nil, err
	}
	if !p.item().root() {
		return nil, catalog.Invalidf("entry %s is not the top of scan %d", e.ID, i.Number)
	}
	if node, ok := p.node(0); ok {
		f.listings.singles.Add(node, p.listing)
	}
	i.top.Store(p.listing)
	return p.listing, nil
}

// Offsets in the root: "." and "..", then the virtual nodes, then the scans by their numbers, so that a reader goes on
// where it was whatever comes or goes.
const firstScanOffset = 16

// readVirtual lists the mount's root or a directory below `by-host`.
func (f *filesystem) readVirtual(ctx *request, in *fuse.ReadIn, out *fuse.DirEntryList, plus bool) fuse.Status {
	v := f.scans.view(ctx)
	n := v.nodes[in.NodeId]
	switch {
	case n == nil:
		return fuse.ENOENT
	case n.target != "":
		return fuse.ENOTDIR
	case !addDots(in.Offset, n.inode(), out, plus):
		return fuse.OK
	}
	for i := max(in.Offset, 2) - 2; i < uint64(len(n.children)); i++ {
		c := n.children[i]
		kind := catalog.Directory
		if c.target != "" {
			kind = catalog.Symlink
		}
		d := fuse.DirEntry{Name: c.name, Mode: typeBits(kind), Ino: c.inode(), Off: i + 3}
		if !plus {
			if !out.AddDirEntry(d) {
				return fuse.OK
			}
		} else if e := out.AddDirLookupEntry(d); e == nil {
			return fuse.OK
		} else {
			c.fill(v, e)
		}
	}
	if n == v.top {
		f.readScans(v, in.Offset, out, plus)
	}
	return fuse.OK
}

// readScans lists the scans. Attributes that would cost a query are left out.
func (f *filesystem) readScans(v *view, off uint64, out *fuse.DirEntryList, plus bool) {
	for _, number := range v.numbers {
		next := firstScanOffset + uint64(number) + 1
		if off >= next || next > math.MaxInt64 {
			continue
		}
		d := fuse.DirEntry{
			Name: strconv.FormatInt(number, 10), Mode: typeBits(catalog.Directory), Ino: scanInode(number), Off: next,
		}
		if !plus {
			if !out.AddDirEntry(d) {
				return
			}
			continue
		}
		e := out.AddDirLookupEntry(d)
		if e == nil {
			return
		}
		if top, err := f.knownTop(v.scans[number]); err == nil && top != nil {
			f.fill(place{top, 0}, e)
			e.EntryValid = briefly
		}
	}
}
