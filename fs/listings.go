package fs

import (
	"context"
	"math"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/hashicorp/golang-lru/v2/simplelru"

	"github.com/bus3/bus3/catalog"
)

// listings caches listings of directories in a limited number of bytes. Each is loaded once, however many wait for it.
type listings struct {
	cat   Catalog
	after func(context.Context, *listing) // called with each new listing, before anybody else has it
	limit int64

	index   *nodeIndex
	singles *lru.Cache[uint64, *listing] // entries that came one by one, by node
	misses  misses

	builders sync.Pool

	mu      sync.Mutex // guards what follows; nothing slow is done under it
	cached  *simplelru.LRU[dirKey, *listing]
	bytes   int64
	flights map[dirKey]*flight
}

// flight is a load that goes on. It is cancelled when nobody waits for it any more.
type flight struct {
	done    chan struct{}
	cancel  context.CancelFunc
	waiters int
	l       *listing
	err     error
}

// keptSingles is how many entries are kept that came one by one: about 2 MiB.
const keptSingles = 4096

func newListings(cat Catalog, limit int64) *listings {
	c := &listings{cat: cat, limit: limit, index: newNodeIndex(), misses: newMisses(), flights: map[dirKey]*flight{}}
	c.singles, _ = lru.New[uint64, *listing](keptSingles) // both fail for sizes below 1 only
	c.cached, _ = simplelru.NewLRU[dirKey, *listing](math.MaxInt, nil)
	c.builders.New = func() any { return new(builder) }
	return c
}

// place is where a node is, as far as it is cached.
func (c *listings) place(node uint64) (place, bool) {
	if p, ok := c.index.get(node); ok {
		if !p.used.Load() {
			p.used.Store(true)
		}
		return p, true
	}
	if l, ok := c.singles.Get(node); ok {
		return place{l, 0}, true
	}
	return place{}, false
}

// peek is the listing if it is cached.
func (c *listings) peek(k dirKey) (*listing, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.cached.Get(k)
}

// get is the listing, from the cache or the catalog.
func (c *listings) get(ctx context.Context, k dirKey) (*listing, error) {
	c.mu.Lock()
	if l, ok := c.cached.Get(k); ok {
		c.mu.Unlock()
		return l, nil
	}
	fl, ok := c.flights[k]
	if !ok {
		loading, cancel := context.WithCancel(context.Background())
		fl = &flight{done: make(chan struct{}), cancel: cancel}
		c.flights[k] = fl
		go c.fly(loading, k, fl)
	}
	fl.waiters++
	c.mu.Unlock()

	select {
	case <-fl.done:
		return fl.l, fl.err
	case <-ctx.Done():
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if fl.waiters--; fl.waiters == 0 {
		fl.cancel()
		if c.flights[k] == fl {
			delete(c.flights, k) // who comes now starts anew
		}
	}
	return nil, ctx.Err()
}

// fly loads a listing for all who wait for it.
func (c *listings) fly(ctx context.Context, k dirKey, fl *flight) {
	defer fl.cancel()
	fl.l, fl.err = c.load(ctx, k)
	if fl.err == nil {
		c.index.add(fl.l)
	}
	c.mu.Lock()
	if c.flights[k] == fl {
		delete(c.flights, k)
	}
	var gone []*listing
	if fl.err == nil {
		gone = c.insert(k, fl.l)
	}
	c.mu.Unlock()
	for _, l := range gone {
		c.index.remove(l)
	}
	close(fl.done)
}

// insert adds a listing and returns those that have to go. The newest one stays, whatever its size. A listing whose
// items were used since it was last considered gets another round.
func (c *listings) insert(k dirKey, l *listing) (gone []*listing) {
	if old, ok := c.cached.Peek(k); ok {
		c.bytes -= old.bytes()
		gone = append(gone, old)
	}
	c.cached.Add(k, l)
	c.bytes += l.bytes()
	for rounds := c.cached.Len(); c.bytes > c.limit && c.cached.Len() > 1; {
		old, victim, _ := c.cached.RemoveOldest()
		if victim == l || rounds > 0 && victim.used.Swap(false) {
			rounds--
			c.cached.Add(old, victim)
			continue
		}
		c.bytes -= victim.bytes()
		gone = append(gone, victim)
	}
	return gone
}

func (c *listings) load(ctx context.Context, k dirKey) (*listing, error) {
	b := c.builders.Get().(*builder)
	defer func() {
		const keep = 16384 // items whose buffers are worth keeping
		if b.items, b.text = b.items[:0], b.text[:0]; cap(b.items) <= keep {
			c.builders.Put(b)
		}
	}()
	if err := c.cat.List(ctx, k.scan, k.dir, b.add); err != nil {
		return nil, err
	}
	l, err := b.listing(k)
	if err != nil {
		return nil, err
	}
	if err := measure(ctx, c.cat, l); err != nil {
		return nil, err
	}
	c.after(ctx, l)
	return l, nil
}

// drop forgets what is cached of scans that are gone.
func (c *listings) drop(gone func(scan int64) bool) {
	var dropped []*listing
	c.mu.Lock()
	for _, k := range c.cached.Keys() {
		if !gone(k.scan) {
			continue
		}
		if l, ok := c.cached.Peek(k); ok {
			c.cached.Remove(k)
			c.bytes -= l.bytes()
			dropped = append(dropped, l)
		}
	}
	c.mu.Unlock()
	c.singles.Purge()
	for _, l := range dropped {
		c.index.remove(l)
	}
}

// unreadable tells whether the names of a directory are not in the backup; asked for directories without any.
func (f *filesystem) unreadable(ctx context.Context, node uint64) (bool, error) {
	p, err := f.resolve(ctx, node)
	return err == nil && p.item().flags&catalog.Unreadable != 0, err
}
