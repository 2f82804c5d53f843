package restore

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"github.com/bus3/bus3/catalog"
	"golang.org/x/sys/unix"
)

// temporaryStart is what the names of unfinished files of all runs begin with.
const temporaryStart = ".bus3-"

// temporaryPrefix is what the names of unfinished files of this run begin with.
func temporaryPrefix() (string, error) {
	var b [prefixBytes]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("restore: make a name: %w", err)
	}
	return temporaryStart + hex.EncodeToString(b[:]) + "-", nil
}

// target finds what is to be restored, and opens the directory where it goes.
func (r *run) target(ctx context.Context) (*dir, *catalog.Entry, error) {
	top, err := r.find(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(r.o.Dest, 0o777); err != nil {
		return nil, nil, fmt.Errorf("restore: %w", err)
	}
	fd, err := unix.Open(r.o.Dest, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("restore: open %q: %w", r.o.Dest, err)
	}
	r.announce(fd)
	root := &dir{name: r.o.Dest, handle: newHandle(fd), inherits: hasDefaultACL(fd)}
	root.pending.Store(1)
	if err := r.tidyRoot(root); err != nil {
		r.problem(r.o.Dest, err)
	}
	return root, top, nil
}

// tidyRoot tidies the destination.
func (r *run) tidyRoot(root *dir) error {
	fd, err := unix.Openat(root.handle.fd, ".", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("open: %w", err)
	}
	return r.tidy(root.handle.fd, fd)
}

// find looks up Options.Path. Its result has a name, other than "" only for the content of the root.
func (r *run) find(ctx context.Context) (*catalog.Entry, error) {
	scan, err := r.cat.Scan(ctx, r.o.Scan)
	if err != nil {
		return nil, fmt.Errorf("restore: backup %d: %w", r.o.Scan, err)
	}
	top, err := r.cat.Root(ctx, r.o.Scan)
	if err != nil {
		return nil, fmt.Errorf("restore: root of backup %d: %w", r.o.Scan, err)
	}
	if r.o.Path == "" {
		return &top, nil
	}
	names, err := components(r.o.Path, scan.Source.Root)
	if err != nil {
		return nil, fmt.Errorf("restore: backup %d: %w", r.o.Scan, err)
	}
	for _, name := range names {
		if top.Kind != catalog.Directory {
			return nil, fmt.Errorf("restore: %q is not in backup %d of %s: %q is a %s", r.o.Path, r.o.Scan, scan.Source.Root, top.Name, top.Kind)
		}
		top, err = r.cat.Lookup(ctx, r.o.Scan, top.Ino, name)
		if errors.Is(err, catalog.ErrNotFound) {
			return nil, fmt.Errorf("restore: %q is not in backup %d of %s: %w", r.o.Path, r.o.Scan, scan.Source.Root, err)
		} else if err != nil {
			return nil, fmt.Errorf("restore: look up %q: %w", r.o.Path, err)
		}
	}
	if top.Name == "" { // the root by its path: its name is the last of that
		if top.Name = path.Base(scan.Source.Root); top.Name == "/" {
			top.Name = ""
		}
	}
	if top.Name == "" {
		return &top, nil
	}
	return &top, catalog.CheckName(top.Name)
}

// components are the names that lead from the root of a backup to a path.
func components(p, root string) ([]string, error) {
	rest := p
	if strings.HasPrefix(p, "/") {
		clean := path.Clean(p)
		var ok bool
		if rest, ok = strings.CutPrefix(clean, strings.TrimSuffix(path.Clean(root), "/")); !ok || rest != "" && rest[0] != '/' {
			return nil, fmt.Errorf("%q is not below %q: %w", p, root, catalog.ErrNotFound)
		}
	}
	var names []string
	for name := range strings.SplitSeq(path.Clean("/"+rest), "/") {
		if name == "" {
			continue
		}
		if err := catalog.CheckName(name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, nil
}
