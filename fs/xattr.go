package fs

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/bus3/bus3/catalog"
)

// xattrSet is the extended attributes of an entry, ready to be sent.
type xattrSet struct {
	attrs   []catalog.Xattr
	names   []byte // all names, each followed by NUL
	visible []byte // those that a user without privileges may see
	bytes   int64
}

func newXattrSet(value []byte) (*xattrSet, error) {
	attrs, err := catalog.DecodeXattrs(append([]byte(nil), value...))
	if err != nil {
		return nil, err
	}
	s := &xattrSet{attrs: attrs, bytes: int64(len(value)) + 256}
	for _, a := range attrs {
		s.names = append(append(s.names, a.Name...), 0)
		if !strings.HasPrefix(a.Name, "trusted.") {
			s.visible = append(append(s.visible, a.Name...), 0)
		}
		s.bytes += int64(2*len(a.Name)) + 64
	}
	return s, nil
}

// values caches sets of extended attributes in a limited number of bytes: few distinct ones exist.
type values struct {
	cat   Catalog
	limit int64

	mu     sync.Mutex
	cached *simplelru.LRU[catalog.ID, *xattrSet]
	bytes  int64
}

// valueBytes is what the sets may take.
const valueBytes = 16 << 20

func newValues(cat Catalog) *values {
	v := &values{cat: cat, limit: valueBytes}
	v.cached, _ = simplelru.NewLRU[catalog.ID, *xattrSet](1<<20, nil) // fails for sizes below 1 only
	return v
}

func (v *values) peek(id catalog.ID) (*xattrSet, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.cached.Get(id)
}

func (v *values) add(id catalog.ID, s *xattrSet) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.cached.Contains(id) {
		return
	}
	v.cached.Add(id, s)
	for v.bytes += s.bytes; v.bytes > v.limit && v.cached.Len() > 1; {
		_, old, _ := v.cached.RemoveOldest()
		v.bytes -= old.bytes
	}
}

// get is the set with that ID, from the cache or the catalog.
func (v *values) get(ctx context.Context, id catalog.ID) (*xattrSet, error) {
	if s, ok := v.peek(id); ok {
		return s, nil
	}
	var set *xattrSet
	err := v.cat.Values(ctx, []catalog.ID{id}, func(value *catalog.Value) error {
		s, err := newXattrSet(value.Bytes)
		set = s
		return err
	})
	if err == nil && set == nil {
		err = catalog.Invalidf("the extended attributes %s are missing", id)
	}
	if err != nil {
		return nil, err
	}
	v.add(id, set)
	return set, nil
}

// errEnough ends a prefetch.
var errEnough = errors.New("enough")

// prefetch loads the sets of a listing with one query, as far as they are small and few. What it does not get is asked for
// when it is needed, errors included.
func (v *values) prefetch(ctx context.Context, l *listing) {
	const most, mostBytes = 1024, 2 << 20
	var ids []catalog.ID
	var last catalog.ID
	for i := range l.items {
		id := l.items[i].xattrs
		if id == 0 || id == last {
			continue
		}
		last = id
		if _, ok := v.peek(id); !ok && len(ids) < most {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return
	}
	left := int64(mostBytes)
	_ = v.cat.Values(ctx, ids, func(value *catalog.Value) error {
		if s, err := newXattrSet(value.Bytes); err == nil {
			v.add(value.ID, s)
			left -= s.bytes
		}
		if left < 0 {
			return errEnough
		}
		return nil
	})
}

// xattrs is the set of a node, nil if it has none.
func (f *filesystem) xattrs(ctx context.Context, node uint64) (*xattrSet, error) {
	if virtual(node) {
		return nil, nil
	}
	p, err := f.resolve(ctx, node)
	if err != nil {
		return nil, err
	}
	id := p.item().xattrs
	if id == 0 {
		return nil, nil
	}
	return f.values.get(ctx, id)
}

// GetXAttr is asked several times per file by ls and cp; it is answered from memory.
func (f *filesystem) GetXAttr(cancel <-chan struct{}, h *fuse.InHeader, name string, dest []byte) (uint32, fuse.Status) {
	ctx := f.request(cancel, h)
	defer ctx.end()
	set, err := f.xattrs(ctx, h.NodeId)
	if err != nil {
		return 0, f.failed(ctx, "get an extended attribute of", h.NodeId, err)
	}
	if set == nil {
		return 0, fuse.ENODATA
	}
	for i := range set.attrs {
		if set.attrs[i].Name == name {
			return reply(dest, set.attrs[i].Value)
		}
	}
	return 0, fuse.ENODATA
}

// ListXAttr hides the names in trusted.* from those who cannot read them, as other file systems do.
func (f *filesystem) ListXAttr(cancel <-chan struct{}, h *fuse.InHeader, dest []byte) (uint32, fuse.Status) {
	ctx := f.request(cancel, h)
	defer ctx.end()
	set, err := f.xattrs(ctx, h.NodeId)
	switch {
	case err != nil:
		return 0, f.failed(ctx, "list the extended attributes of", h.NodeId, err)
	case set == nil:
		return 0, fuse.OK
	case h.Uid != 0:
		return reply(dest, set.visible)
	}
	return reply(dest, set.names)
}

// reply copies b to dest, if it fits, and tells its size.
func reply(dest, b []byte) (uint32, fuse.Status) {
	if len(b) > len(dest) {
		return uint32(len(b)), fuse.ERANGE
	}
	return uint32(copy(dest, b)), fuse.OK
}
