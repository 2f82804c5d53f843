package cache

import (
	"cmp"
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// staleAfter is when an unfinished block belongs to nobody any more.
const staleAfter = time.Hour

// sweep counts what is on disk and, if it is more than the limit, removes what was not used for the longest time, down
// to nine tenths of it. What it cannot remove, another sweep tries again.
func (d *disk) sweep(ctx context.Context) {
	type found struct {
		name string
		size int64
		used int64
	}
	var all []found
	var size int64
	_ = filepath.WalkDir(d.dir, func(name string, e fs.DirEntry, err error) error {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil || !e.Type().IsRegular() {
			return nil
		}
		info, err := e.Info()
		switch {
		case err != nil:
		case isBlock(e.Name()):
			size += info.Size()
			all = append(all, found{name, info.Size(), info.ModTime().UnixNano()})
		case strings.HasPrefix(e.Name(), temporary) && time.Since(info.ModTime()) > staleAfter:
			_ = os.Remove(name) // nothing depends on it
		}
		return nil
	})
	if size > d.limit {
		slices.SortFunc(all, func(a, b found) int { return cmp.Compare(a.used, b.used) })
		for _, f := range all {
			if size <= d.limit/10*9 || ctx.Err() != nil {
				break
			}
			if os.Remove(f.name) == nil {
				size -= f.size
			}
		}
	}
	d.size.Store(size)
}
