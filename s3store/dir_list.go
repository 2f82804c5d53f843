package s3store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
)

// List calls fn for each object. Only directories that can have some are read, and one per level of the keys is in
// memory at a time.
func (d *Dir) List(ctx context.Context, prefix, after string, fn func(Object) error) error {
	if err := checkPrefix(prefix); err != nil {
		return err
	}
	root, err := d.open()
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list %q in %s: %w", prefix, d, plain(err))
	}
	l := &listing{ctx: ctx, dir: d, root: root, prefix: prefix, after: after, fn: fn}
	return l.walk("")
}

// listing is a walk through the store that finds what List asked for.
type listing struct {
	ctx           context.Context // of the one List that it serves
	dir           *Dir
	root          *os.Root
	prefix, after string
	fn            func(Object) error
}

// walk lists what lies in the directory that begins keys with base: "" or ending in "/".
func (l *listing) walk(base string) error {
	if err := l.ctx.Err(); err != nil {
		return err
	}
	names, err := l.names(base)
	if err != nil {
		return fmt.Errorf("list %q in %s: %w", l.prefix, l.dir, plain(err))
	}
	for _, name := range names {
		key := base + name
		if strings.HasSuffix(name, "/") {
			if l.mayHave(key) {
				err = l.walk(key)
			}
		} else if key > l.after && strings.HasPrefix(key, l.prefix) {
			err = l.found(key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mayHave tells whether keys that begin with base can be asked for.
func (l *listing) mayHave(base string) bool {
	inPrefix := strings.HasPrefix(base, l.prefix) || strings.HasPrefix(l.prefix, base)
	return inPrefix && (base > l.after || strings.HasPrefix(l.after, base))
}

// names are the names in a directory in the order of keys, directories with the "/" that they sort by.
func (l *listing) names(base string) ([]string, error) {
	dir := "."
	if base != "" {
		dir = strings.TrimSuffix(base, "/")
	}
	l.dir.requests.add(LIST)
	f, err := l.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // removed meanwhile
	}
	if err != nil {
		return nil, err
	}
	defer closeFile(f)
	entries, err := f.ReadDir(-1)
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(entries))
	for _, e := range entries {
		if CheckKey(e.Name()) != nil {
			continue
		}
		if e.IsDir() {
			names = append(names, e.Name()+"/")
		} else if e.Type().IsRegular() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names, nil
}

func (l *listing) found(key string) error {
	info, err := l.root.Lstat(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // deleted meanwhile
	}
	if err != nil {
		return fmt.Errorf("list %q in %s: %w", l.prefix, l.dir, plain(err))
	}
	return l.fn(Object{Key: key, Size: info.Size()})
}
