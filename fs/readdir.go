package fs

import (
	"context"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/bus3/bus3/catalog"
)

// fill puts what the kernel is told about item i into out.
func (f *filesystem) fill(p place, out *fuse.EntryOut) {
	if it := p.item(); it.kind == catalog.Directory {
		out.NodeId = f.dirs.enter(dirKey{scan: p.key.scan, dir: it.ino})
	} else {
		out.NodeId = fileNode(it.id)
	}
	out.Generation = 1
	out.EntryValid, out.AttrValid = forever, forever
	p.attr(p.i, &out.Attr)
}

// Lookup is asked for what the kernel did not learn by reading the directory.
func (f *filesystem) Lookup(cancel <-chan struct{}, h *fuse.InHeader, name string, out *fuse.EntryOut) fuse.Status {
	ctx := f.request(cancel, h)
	defer ctx.end()
	if name == "." || name == ".." {
		return f.lookupDots(ctx, h.NodeId, name, out)
	}
	if virtual(h.NodeId) {
		return f.lookupVirtual(ctx, h.NodeId, name, out)
	}
	k, ok := f.dirs.key(h.NodeId)
	if !ok {
		return fuse.ENOTDIR
	}
	p, found, err := f.lookup(ctx, k, name)
	if err != nil {
		return f.failed(ctx, "look up a name in", h.NodeId, err)
	}
	if !found {
		if bad, err := f.unreadable(ctx, h.NodeId); err != nil || bad {
			return f.closed(ctx, h.NodeId, err)
		}
		out.EntryValid = forever // node 0: there is no such name, and never will be
		return fuse.OK
	}
	if err := f.measured(ctx, p); err != nil {
		return f.failed(ctx, "count the data of a file in", h.NodeId, err)
	}
	f.fill(p, out)
	return fuse.OK
}

// closed answers for a directory whose names are not in the backup: it must not look empty.
func (f *filesystem) closed(ctx *request, node uint64, err error) fuse.Status {
	if err != nil {
		return f.failed(ctx, "list", node, err)
	}
	return fuse.EIO
}

func (f *filesystem) lookup(ctx context.Context, k dirKey, name string) (place, bool, error) {
	if err := f.scans.check(ctx, k.scan); err != nil {
		return place{}, false, err
	}
	l, ok := f.listings.peek(k)
	if !ok && f.listings.misses.enough(k) {
		var err error
		if l, err = f.listings.get(ctx, k); err != nil {
			return place{}, false, err
		}
		ok = true
	}
	if ok {
		i, found := l.find(name)
		return place{l, i}, found, nil
	}
	e, err := f.cat.Lookup(ctx, k.scan, k.dir, name)
	if notFound(err) {
		return place{}, false, nil
	}
	if err != nil {
		return place{}, false, err
	}
	node := fileNode(e.ID)
	if e.Kind == catalog.Directory {
		node, _ = packDir(dirKey{scan: k.scan, dir: e.Ino})
	}
	p, err := f.keep(k.scan, node, &e)
	return p, err == nil, err
}

// lookupDots answers NFS servers, which ask for nodes that the kernel has forgotten.
func (f *filesystem) lookupDots(ctx *request, node uint64, name string, out *fuse.EntryOut) fuse.Status {
	if virtual(node) {
		return f.lookupVirtual(ctx, node, name, out)
	}
	p, err := f.resolve(ctx, node)
	if err != nil {
		return f.failed(ctx, "find", node, err)
	}
	if name == ".." {
		if p.item().root() {
			return f.lookupVirtual(ctx, fuse.FUSE_ROOT_ID, ".", out)
		}
		e, err := f.cat.Directory(ctx, p.key.scan, p.key.dir)
		if err != nil {
			return f.failed(ctx, "find the directory of", node, err)
		}
		if p, err = f.keep(p.key.scan, 0, &e); err != nil {
			return f.failed(ctx, "find the directory of", node, err)
		}
	}
	if err := f.measured(ctx, p); err != nil {
		return f.failed(ctx, "count the data of", node, err)
	}
	f.fill(p, out)
	return fuse.OK
}

// ReadDirPlus gives names and attributes, from the directory's listing: one query per directory.
func (f *filesystem) ReadDirPlus(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	ctx := f.request(cancel, &in.InHeader)
	defer ctx.end()
	return f.readDir(ctx, in, out, true)
}

// ReadDir gives names alone.
func (f *filesystem) ReadDir(cancel <-chan struct{}, in *fuse.ReadIn, out *fuse.DirEntryList) fuse.Status {
	ctx := f.request(cancel, &in.InHeader)
	defer ctx.end()
	return f.readDir(ctx, in, out, false)
}

func (f *filesystem) readDir(ctx *request, in *fuse.ReadIn, out *fuse.DirEntryList, plus bool) fuse.Status {
	if virtual(in.NodeId) {
		return f.readVirtual(ctx, in, out, plus)
	}
	k, ok := f.dirs.key(in.NodeId)
	if !ok {
		return fuse.ENOTDIR
	}
	if err := f.scans.check(ctx, k.scan); err != nil {
		return f.failed(ctx, "list", in.NodeId, err)
	}
	l, err := f.listings.get(ctx, k)
	if err != nil {
		return f.failed(ctx, "list", in.NodeId, err)
	}
	if len(l.items) == 0 {
		if bad, err := f.unreadable(ctx, in.NodeId); err != nil || bad {
			return f.closed(ctx, in.NodeId, err)
		}
	}
	if !addDots(in.Offset, f.selfInode(k), out, plus) {
		return fuse.OK
	}
	for i := int(max(in.Offset, 2) - 2); i < len(l.items); i++ {
		if !f.addItem(place{l, i}, out, plus) {
			break
		}
	}
	return fuse.OK
}

// selfInode is the inode number of a directory that is listed.
func (f *filesystem) selfInode(k dirKey) uint64 {
	if i := f.scans.current.Load().scans[k.scan]; i != nil {
		if top := i.top.Load(); top != nil && top.items[0].ino == k.dir {
			return scanInode(k.scan)
		}
	}
	return directoryInode(k)
}

// addItem adds item i to a reply; false if it does not fit. An item whose attributes cost more than a look goes without
// them; the kernel asks when somebody wants them.
func (f *filesystem) addItem(p place, out *fuse.DirEntryList, plus bool) bool {
	d := fuse.DirEntry{Name: p.name(p.i), Mode: typeBits(p.item().kind), Ino: p.inode(p.i), Off: uint64(p.i) + 3}
	if !plus {
		return out.AddDirEntry(d)
	}
	e := out.AddDirLookupEntry(d)
	if e == nil {
		return false
	}
	if _, known := p.dataBytes(p.i); known {
		f.fill(p, e)
	}
	return true
}

// addDots adds "." and ".." as far as the reader has not got them yet; false if they do not fit.
func addDots(off, self uint64, out *fuse.DirEntryList, plus bool) bool {
	for i, name := range [...]string{".", ".."} {
		if off > uint64(i) {
			continue
		}
		d := fuse.DirEntry{Name: name, Mode: typeBits(catalog.Directory), Off: uint64(i) + 1, Ino: fuse.FUSE_UNKNOWN_INO}
		if i == 0 {
			d.Ino = self
		}
		if plus && out.AddDirLookupEntry(d) == nil || !plus && !out.AddDirEntry(d) {
			return false
		}
	}
	return true
}
