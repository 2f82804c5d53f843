package fs

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/bus3/bus3/catalog"
)

// failed is the one place where errors become what programs see. An interrupted request is EINTR; what a catalog no
// longer has is ESTALE (the scan was removed); everything else is EIO, and logged with the path that it concerns.
func (f *filesystem) failed(ctx context.Context, what string, node uint64, err error) fuse.Status {
	switch {
	case ctx.Err() != nil:
		return fuse.EINTR
	case errors.Is(err, catalog.ErrNotFound):
		return fuse.Status(syscall.ESTALE)
	}
	if show, hidden := f.complaints.allow(); show {
		args := []any{"error", err}
		if hidden > 0 {
			args = append(args, "not shown before", hidden)
		}
		f.log.Error(fmt.Sprintf("cannot %s %q", what, f.path(node)), args...)
	}
	return fuse.EIO
}

// path is where a node is in the mount, as far as it can be told in a short time, for messages.
func (f *filesystem) path(node uint64) string {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	p, err := f.resolve(ctx, node)
	if err != nil {
		if k, ok := f.dirs.key(node); ok {
			return fmt.Sprintf("%d/… (directory %s)", k.scan, k.dir)
		}
		id, _ := fileID(node)
		return fmt.Sprintf("… (entry %s)", id)
	}
	var names []string
	scan, name, dir, root := p.key.scan, p.name(p.i), p.key.dir, p.item().root()
	for !root && len(names) < 4096 {
		names = append(names, name)
		e, err := f.cat.Directory(ctx, scan, dir)
		if err != nil {
			names = append(names, "…")
			break
		}
		name, dir, root = e.Name, e.Dir, e.IsRoot()
	}
	names = append(names, fmt.Sprint(scan))
	for i, j := 0, len(names)-1; i < j; i, j = i+1, j-1 {
		names[i], names[j] = names[j], names[i]
	}
	return strings.Join(names, "/")
}
