package fs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/bus3/bus3/catalog"
)

// Read reads into the reply's own buffer.
func (f *filesystem) Read(cancel <-chan struct{}, in *fuse.ReadIn, buf []byte) (fuse.ReadResult, fuse.Status) {
	ctx := f.request(cancel, &in.InHeader)
	defer ctx.end()
	p, st := f.file(ctx, in.NodeId)
	if st != fuse.OK {
		return nil, st
	}
	it := p.item()
	if it.unreadable() {
		return nil, fuse.EIO
	}
	left := it.size - int64(in.Offset)
	if int64(in.Offset) < 0 || left <= 0 {
		return fuse.ReadResultData(nil), fuse.OK
	}
	buf = buf[:min(int64(len(buf)), left)]
	n, err := f.reader.ReadAt(ctx, p.entry(p.i), buf, int64(in.Offset))
	if err == nil && n < len(buf) {
		err = io.ErrUnexpectedEOF
	}
	if err != nil && (n < len(buf) || !errors.Is(err, io.EOF)) {
		return nil, f.failed(ctx, "read", in.NodeId, f.stillThere(ctx, it.id, err))
	}
	return fuse.ReadResultData(buf), fuse.OK
}

// stillThere tells data that are missing though their entry is there, which is damage, from those of a scan that was
// removed.
func (f *filesystem) stillThere(ctx context.Context, id catalog.ID, err error) error {
	if !notFound(err) {
		return err
	}
	if _, gone := f.cat.Entry(ctx, id); notFound(gone) {
		return gone
	}
	return fmt.Errorf("%w: its data: %s", catalog.ErrInvalid, err)
}

// Lseek finds data and holes.
func (f *filesystem) Lseek(cancel <-chan struct{}, in *fuse.LseekIn, out *fuse.LseekOut) fuse.Status {
	ctx := f.request(cancel, &in.InHeader)
	defer ctx.end()
	p, st := f.file(ctx, in.NodeId)
	if st != fuse.OK {
		return st
	}
	off, size := int64(in.Offset), p.item().size
	if off < 0 || off >= size {
		return fuse.Status(syscall.ENXIO)
	}
	if in.Whence != seekData && in.Whence != seekHole {
		return fuse.EINVAL
	}
	next, err := f.seek(ctx, p, off, in.Whence)
	switch {
	case errors.Is(err, syscall.ENXIO), err == nil && next >= size && in.Whence == seekData:
		return fuse.Status(syscall.ENXIO)
	case err != nil:
		return f.failed(ctx, "seek in", in.NodeId, err)
	}
	out.Offset = uint64(min(next, size))
	return fuse.OK
}

// The whences of lseek(2) that reach a file system.
const (
	seekData = 3
	seekHole = 4
)

func (f *filesystem) seek(ctx *request, p place, off int64, whence uint32) (int64, error) {
	size := p.item().size
	stored, known := p.dataBytes(p.i)
	switch full := known && stored >= size; {
	case full && whence == seekData, known && stored == 0 && whence == seekHole:
		return off, nil
	case full, known && stored == 0:
		return size, nil
	case whence == seekData:
		return f.reader.NextData(ctx, p.entry(p.i), off)
	}
	return f.reader.NextHole(ctx, p.entry(p.i), off)
}

// file is the place of a node that must be a regular file.
func (f *filesystem) file(ctx *request, node uint64) (place, fuse.Status) {
	if virtual(node) {
		return place{}, fuse.EISDIR
	}
	p, err := f.resolve(ctx, node)
	if err != nil {
		return place{}, f.failed(ctx, "find", node, err)
	}
	if p.item().kind != catalog.File {
		return place{}, fuse.EINVAL
	}
	return p, fuse.OK
}
