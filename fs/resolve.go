package fs

import (
	"context"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/bus3/bus3/catalog"
)

// place is where an entry is: item i of a listing.
type place struct {
	*listing
	i int
}

func (p place) item() *item { return &p.items[p.i] }

// nodeIndex finds the place of a node among the listings that are cached. Its locks are held for one map access.
type nodeIndex struct {
	shards [64]struct {
		mu     sync.RWMutex
		places map[uint64]place
	}
}

func newNodeIndex() *nodeIndex {
	x := &nodeIndex{}
	for i := range x.shards {
		x.shards[i].places = map[uint64]place{}
	}
	return x
}

func shardOf(node uint64) int { return int(node * 0x9e3779b97f4a7c15 >> 58) }

// node is the node ID of item i, if it has one that needs no table.
func (l *listing) node(i int) (uint64, bool) {
	it := &l.items[i]
	if it.kind == catalog.Directory {
		return packDir(dirKey{scan: l.key.scan, dir: it.ino})
	}
	return fileNode(it.id), true
}

func (x *nodeIndex) add(l *listing) {
	for i := range l.items {
		if node, ok := l.node(i); ok {
			s := &x.shards[shardOf(node)]
			s.mu.Lock()
			s.places[node] = place{l, i}
			s.mu.Unlock()
		}
	}
}

// remove takes out what still leads to l: the same entries may be in a listing of another scan.
func (x *nodeIndex) remove(l *listing) {
	for i := range l.items {
		if node, ok := l.node(i); ok {
			s := &x.shards[shardOf(node)]
			s.mu.Lock()
			if s.places[node].listing == l {
				delete(s.places, node)
			}
			s.mu.Unlock()
		}
	}
}

func (x *nodeIndex) get(node uint64) (place, bool) {
	s := &x.shards[shardOf(node)]
	s.mu.RLock()
	p, ok := s.places[node]
	s.mu.RUnlock()
	return p, ok
}

// misses counts, per directory, entries that were asked for one by one, so that a directory of which several are wanted is
// listed instead.
type misses struct{ counts *lru.Cache[dirKey, int] }

func newMisses() misses {
	c, _ := lru.New[dirKey, int](4096) // fails for sizes below 1 only
	return misses{c}
}

// patience is how many entries of a directory are asked for one by one before it is listed.
const patience = 3

func (m misses) enough(k dirKey) bool {
	n, _ := m.counts.Get(k)
	m.counts.Add(k, n+1)
	return n+1 > patience
}

// resolve finds the entry that a node ID names: in a cached listing, or by its key in the catalog.
func (f *filesystem) resolve(ctx context.Context, node uint64) (place, error) {
	if p, ok := f.listings.place(node); ok {
		return p, nil
	}
	if id, ok := fileID(node); ok {
		return f.resolveFile(ctx, node, id)
	}
	k, ok := f.dirs.key(node)
	if !ok {
		return place{}, catalog.ErrNotFound
	}
	if err := f.scans.check(ctx, k.scan); err != nil {
		return place{}, err
	}
	e, err := f.cat.Directory(ctx, k.scan, k.dir)
	if err != nil {
		return place{}, err
	}
	return f.keep(k.scan, node, &e)
}

func (f *filesystem) resolveFile(ctx context.Context, node uint64, id catalog.ID) (place, error) {
	e, err := f.cat.Entry(ctx, id)
	if err != nil {
		return place{}, err
	}
	if e.Kind == catalog.Directory {
		return place{}, catalog.ErrNotFound
	}
	if k := (dirKey{scan: e.First(), dir: e.Dir}); f.listings.misses.enough(k) {
		if _, err := f.listings.get(ctx, k); err == nil {
			if p, ok := f.listings.place(node); ok {
				return p, nil
			}
		}
	}
	return f.keep(e.First(), node, &e)
}

// keep remembers an entry that came by itself, for a while.
func (f *filesystem) keep(scan int64, node uint64, e *catalog.Entry) (place, error) {
	l, err := single(scan, e)
	if err != nil {
		return place{}, err
	}
	if node != 0 {
		f.listings.singles.Add(node, l)
	}
	return place{l, 0}, nil
}
