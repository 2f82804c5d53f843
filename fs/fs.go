// Package fs shows the finished scans of a catalog as a read-only file system (FUSE).
//
// A node ID is a catalog key (see node.go) and a finished scan never changes. So the server keeps nothing per file, and
// the kernel may cache names, attributes, symlinks and pages for ever. What the server does cache, in a bounded number
// of bytes, is the listings of directories: they answer READDIRPLUS with one query per directory, and attributes,
// extended attributes and the places of data with none.
package fs

import (
	"context"
	"log/slog"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/bus3/bus3/catalog"
)

// Catalog is what the mount asks of a catalog. Entries and values are valid only during the calls of fn.
type Catalog interface {
	Scans(ctx context.Context, fn func(*catalog.Scan) error) error
	Root(ctx context.Context, scan int64) (catalog.Entry, error)
	List(ctx context.Context, scan int64, dir catalog.ID, fn func(*catalog.Entry) error) error
	Lookup(ctx context.Context, scan int64, dir catalog.ID, name string) (catalog.Entry, error)
	Entry(ctx context.Context, id catalog.ID) (catalog.Entry, error)
	Directory(ctx context.Context, scan int64, ino catalog.ID) (catalog.Entry, error)
	Values(ctx context.Context, ids []catalog.ID, fn func(*catalog.Value) error) error
	ChunkPlaces(ctx context.Context, ids []catalog.ID, fn func(*catalog.Place) error) error
	Pieces(ctx context.Context, content catalog.ID, from int64, limit int, fn func(*catalog.PlacedPiece) error) error
}

// Reader gives the data of files.
type Reader interface {
	// ReadAt fills dst from off on, holes with zeros; it is short only at the end of the file.
	ReadAt(ctx context.Context, e *catalog.Entry, dst []byte, off int64) (int, error)
	// NextData is the first offset >= off that is in no hole; syscall.ENXIO if there is none.
	NextData(ctx context.Context, e *catalog.Entry, off int64) (int64, error)
	// NextHole is the first offset >= off that is in a hole, or the file's size.
	NextHole(ctx context.Context, e *catalog.Entry, off int64) (int64, error)
}

// filesystem answers the kernel's requests. What it does not implement is answered ENOSYS by the embedded default,
// after which the kernel does not ask again: OPENDIR is not asked for, and directories are cached none the less.
type filesystem struct {
	fuse.RawFileSystem

	cat      Catalog
	reader   Reader
	log      *slog.Logger
	dirs     directories
	listings *listings
	values   *values
	scans    *scans
	tops     tops

	complaints complaints
	heed       func(pid uint32) bool // whether an interrupt ends the request of a thread
}

// String is the name in debug output.
func (f *filesystem) String() string { return "bus3" }

// Forget is free for files.
func (f *filesystem) Forget(node, n uint64) { f.dirs.forget(node, n) }

// Open tells the kernel to open files, and close them, without asking.
func (f *filesystem) Open(<-chan struct{}, *fuse.OpenIn, *fuse.OpenOut) fuse.Status {
	return fuse.ENOSYS
}

// OpenDir is as Open; the kernel then caches what it reads of directories.
func (f *filesystem) OpenDir(<-chan struct{}, *fuse.OpenIn, *fuse.OpenOut) fuse.Status {
	return fuse.ENOSYS
}

// Flush has nothing to write.
func (f *filesystem) Flush(<-chan struct{}, *fuse.FlushIn) fuse.Status { return fuse.ENOSYS }

// Access leaves permissions to the kernel.
func (f *filesystem) Access(<-chan struct{}, *fuse.AccessIn) fuse.Status { return fuse.ENOSYS }

// GetAttr is seldom asked: attributes come with names, and stay valid.
func (f *filesystem) GetAttr(cancel <-chan struct{}, in *fuse.GetAttrIn, out *fuse.AttrOut) fuse.Status {
	ctx := f.request(cancel, &in.InHeader)
	defer ctx.end()
	if virtual(in.NodeId) {
		v := f.scans.view(ctx)
		n := v.nodes[in.NodeId]
		if n == nil {
			return fuse.ENOENT
		}
		n.attr(v, &out.Attr)
		out.AttrValid = briefly
		return fuse.OK
	}
	p, err := f.resolve(ctx, in.NodeId)
	if err != nil {
		return f.failed(ctx, "get the attributes of", in.NodeId, err)
	}
	if err := f.measured(ctx, p); err != nil {
		return f.failed(ctx, "count the data of", in.NodeId, err)
	}
	p.attr(p.i, &out.Attr)
	out.AttrValid = forever
	return fuse.OK
}

// Readlink is asked once per symlink; the kernel caches the target.
func (f *filesystem) Readlink(cancel <-chan struct{}, h *fuse.InHeader) ([]byte, fuse.Status) {
	ctx := f.request(cancel, h)
	defer ctx.end()
	if virtual(h.NodeId) {
		if n := f.scans.view(ctx).nodes[h.NodeId]; n != nil && n.target != "" {
			return []byte(n.target), fuse.OK
		}
		return nil, fuse.ENOENT
	}
	p, err := f.resolve(ctx, h.NodeId)
	if err != nil {
		return nil, f.failed(ctx, "read the symlink", h.NodeId, err)
	}
	if p.item().kind != catalog.Symlink {
		return nil, fuse.EINVAL
	}
	return []byte(p.target(p.i)), fuse.OK
}

// StatFs tells the size of what the newest scans of all sources hold; nothing is free.
func (f *filesystem) StatFs(cancel <-chan struct{}, h *fuse.InHeader, out *fuse.StatfsOut) fuse.Status {
	ctx := f.request(cancel, h)
	defer ctx.end()
	v := f.scans.view(ctx)
	out.Bsize, out.Frsize = block, block
	out.Blocks = uint64(v.bytes+block-1) / block
	out.Files = uint64(v.files)
	out.NameLen = catalog.MaxName
	return fuse.OK
}

// measured makes sure that the bytes of p's data are known.
func (f *filesystem) measured(ctx context.Context, p place) error {
	if _, ok := p.dataBytes(p.i); ok {
		return nil
	}
	return measureOne(ctx, f.cat, p.listing, p.i)
}
