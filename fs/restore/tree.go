package restore

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/bus3/bus3/catalog"
	"github.com/hashicorp/golang-lru/v2/simplelru"
	"golang.org/x/sys/unix"
)

// dir is a directory in the destination. It is named by its parent and its own name, never by a path: so it may be at any
// depth, and no symlink can lead out, since each name is opened alone and without following.
type dir struct {
	parent   *dir // nil for the destination
	name     string
	entry    *catalog.Entry // whose attributes it gets; nil: none
	handle   *handle        // of the destination only; others are in handles
	fresh    bool           // made by this run: nothing else is in it
	inherits bool           // has a default ACL, which what is made in it inherits

	// pending counts what is not done yet: the listing, and what was found in it. Who brings it to 0 gives the directory
	// its attributes.
	pending atomic.Int64
}

// path is for messages.
func (d *dir) path() string {
	var names []string
	for ; d != nil; d = d.parent {
		names = append(names, d.name)
	}
	var b strings.Builder
	for i := len(names) - 1; i >= 0; i-- {
		b.WriteString(names[i])
		if i > 0 && !strings.HasSuffix(names[i], "/") {
			b.WriteByte('/')
		}
	}
	return b.String()
}

func (d *dir) child(name string) string { return strings.TrimSuffix(d.path(), "/") + "/" + name }

// destination is the open directory that all is restored into.
func (d *dir) destination() *handle {
	for d.parent != nil {
		d = d.parent
	}
	return d.handle
}

// under tells whether d or a directory above it is the identity ino.
func (d *dir) under(ino catalog.ID) bool {
	for ; d != nil; d = d.parent {
		if d.entry != nil && d.entry.Ino == ino {
			return true
		}
	}
	return false
}

// handle is an open directory with references.
type handle struct {
	fd   int
	refs atomic.Int32
}

func newHandle(fd int) *handle {
	h := &handle{fd: fd}
	h.refs.Store(1)
	return h
}

func (h *handle) close() {
	if h.refs.Add(-1) == 0 {
		_ = unix.Close(h.fd) // nothing was written through it
	}
}

// openDirs is how many directories are kept open.
const openDirs = 256

// handles keeps the directories open that were used last.
type handles struct {
	mu  sync.Mutex
	lru *simplelru.LRU[*dir, *handle]
}

func newHandles() *handles {
	lru, err := simplelru.NewLRU(openDirs, func(_ *dir, h *handle) { h.close() })
	if err != nil {
		panic(err) // openDirs is positive
	}
	return &handles{lru: lru}
}

// open gives a handle of d, to be closed by the caller.
func (h *handles) open(d *dir) (*handle, error) {
	if d.parent == nil {
		d.handle.refs.Add(1)
		return d.handle, nil
	}
	if found := h.get(d); found != nil {
		return found, nil
	}
	parent, err := h.open(d.parent)
	if err != nil {
		return nil, err
	}
	defer parent.close()
	fd, err := unix.Openat(parent.fd, d.name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("open directory %q: %w", d.name, err)
	}
	opened := newHandle(fd)
	opened.refs.Add(1) // one is the LRU's
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lru.Remove(d)
	h.lru.Add(d, opened)
	return opened, nil
}

func (h *handles) get(d *dir) *handle {
	h.mu.Lock()
	defer h.mu.Unlock()
	found, ok := h.lru.Get(d)
	if !ok {
		return nil
	}
	found.refs.Add(1)
	return found
}

// forget closes d, which is done.
func (h *handles) forget(d *dir) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lru.Remove(d)
}

func (h *handles) close() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.lru.Purge()
}

// done tells that something in d is done; with the last, d gets its attributes, and then the directory above is told.
func (r *run) done(ctx context.Context, d *dir) {
	for ; d != nil && d.pending.Add(-1) == 0; d = d.parent {
		if d.entry != nil {
			r.finishDir(ctx, d)
		}
		r.handles.forget(d)
	}
}

// finishDir gives a directory its attributes.
func (r *run) finishDir(ctx context.Context, d *dir) {
	fd, err := r.reopen(d)
	if err == nil {
		err = r.attributes(ctx, fd, d.entry, !d.fresh)
		_ = unix.Close(fd) // nothing was written through it
	}
	if err != nil {
		r.problem(d.path(), err)
		return
	}
	r.progress.Dirs.Add(1)
}

// reopen opens a directory for its attributes to be set.
func (r *run) reopen(d *dir) (fd int, err error) {
	at, name := d, "."
	if d.parent != nil {
		at, name = d.parent, d.name // "." could be looked up only by who may search the directory
	}
	h, err := r.handles.open(at)
	if err != nil {
		return -1, err
	}
	defer h.close()
	if fd, err = unix.Openat(h.fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0); err != nil {
		return -1, fmt.Errorf("open: %w", err)
	}
	return fd, nil
}
