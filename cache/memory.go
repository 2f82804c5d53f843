package cache

import (
	"context"
	"math"
	"sync"

	"github.com/bus3/bus3/catalog"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// resident is a block or a segment in memory. Each holder has a reference to its buffer; memory has one while it is in
// the LRU.
type resident struct {
	buf  *buffer
	data []byte // of buf
	cost int64
	// Guarded by memory.mu:
	ahead bool  // nobody has asked for it yet
	used  int64 // of a block: bytes that were decoded

	verified verified // of a segment: the chunks whose hashes were compared
}

func (r *resident) release() { r.buf.release() }

// flight is a block or a segment on its way into memory. Its fields are guarded by memory.mu until done is closed; then
// found and err stand. The references in found are as many as waiters were.
type flight struct {
	done    chan struct{}
	found   *resident
	err     error
	waiters int
	group   *group
}

// group is what one fetch or one decoding brings: it ends when nobody waits for any of it, unless it runs ahead.
type group struct {
	waiters int
	ahead   bool // goes on without waiters
	dead    bool // nobody waited any more: who comes now starts anew
	cancel  context.CancelFunc
}

// memory holds blocks and segments, up to a limit in bytes, and knows what is on its way. Lock order: reader.mu may be
// taken while mu is held, nothing else.
type memory struct {
	pool    *pool
	limit   int64
	mu      sync.Mutex
	lru     *simplelru.LRU[key, *resident]
	held    int64 // cost of what is in lru
	coming  int64 // bytes of buffers that are being filled
	ahead   int64 // bytes, on their way and in lru, that nobody has asked for yet
	flights map[key]*flight
}

func newMemory(limit int64) *memory {
	m := &memory{pool: newPool(), limit: limit, flights: make(map[key]*flight)}
	lru, err := simplelru.NewLRU(math.MaxInt, func(_ key, r *resident) { m.evicted(r) })
	if err != nil {
		panic(err) // the size is positive
	}
	m.lru = lru
	return m
}

// evicted is told by lru, under mu.
func (m *memory) evicted(r *resident) {
	m.held -= r.cost
	if r.ahead {
		r.ahead = false
		m.ahead -= int64(len(r.data))
	}
	r.release()
}

// shrink evicts until the limit holds, but keeps the newest: a segment larger than the limit is read in many reads.
func (m *memory) shrink() {
	for m.held+m.coming > m.limit && m.lru.Len() > 1 {
		m.lru.RemoveOldest()
	}
}

// find, under mu, gives what is in memory with a reference, or the flight that brings it, to be waited for with wait.
func (m *memory) find(k key) (*resident, *flight) {
	if r, ok := m.lru.Get(k); ok {
		if r.ahead {
			r.ahead = false
			m.ahead -= int64(len(r.data))
		}
		r.buf.retain()
		return r, nil
	}
	if f := m.flights[k]; f != nil && !f.group.dead {
		m.join(f)
		return nil, f
	}
	return nil, nil
}

// join, under mu, makes the caller a waiter of f.
func (m *memory) join(f *flight) {
	f.waiters++
	f.group.waiters++
}

// wait waits for a flight that was joined. A waiter that gives up takes nothing from the others.
func (m *memory) wait(ctx context.Context, k key, f *flight) (*resident, error) {
	select {
	case <-f.done:
		return f.found, f.err
	case <-ctx.Done():
	}
	m.leave(k, f)
	return nil, context.Cause(ctx)
}

// leave ends the waiting for a flight; a flight that nobody waits for dies.
func (m *memory) leave(k key, f *flight) {
	m.mu.Lock()
	defer m.mu.Unlock()
	select {
	case <-f.done:
		if f.found != nil {
			f.found.release()
		}
		return
	default:
	}
	f.waiters--
	f.group.waiters--
	if f.group.waiters == 0 && !f.group.ahead {
		f.group.dead = true
		f.group.cancel()
	}
}

// launch, under mu, registers the flight of k in a group.
func (m *memory) launch(k key, g *group) *flight {
	f := &flight{done: make(chan struct{}), group: g}
	m.flights[k] = f
	return f
}

// land ends a flight with what it brought, or with an error. It takes over r's reference.
func (m *memory) land(k key, f *flight, r *resident, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.flights[k] == f {
		delete(m.flights, k)
	}
	f.found, f.err = r, err
	if r != nil {
		for range f.waiters {
			r.buf.retain()
		}
		if r.ahead = f.group.ahead && f.waiters == 0; r.ahead {
			m.ahead += int64(len(r.data))
		}
		m.add(k, r)
	}
	close(f.done)
}

func (m *memory) add(k key, r *resident) {
	m.lru.Remove(k) // a flight that was abandoned may have landed as well
	m.held += r.cost
	m.lru.Add(k, r)
	m.shrink()
}

// expect makes room for bytes that are about to be read or decoded, and arrived ends that.
func (m *memory) expect(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.coming += bytes
	m.shrink()
}

func (m *memory) arrived(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.coming -= bytes
}

// consumed notes that bytes of a block were decoded. A block that was decoded all over is not needed any more.
func (m *memory) consumed(k key, r *resident, bytes int64) {
	const rest = 4 << 10 // header, or a directory
	m.mu.Lock()
	defer m.mu.Unlock()
	r.used += bytes
	if now, ok := m.lru.Peek(k); ok && now == r && r.used+rest >= int64(len(r.data)) {
		m.lru.Remove(k)
	}
}

// drop removes what turned out to be damaged.
func (m *memory) drop(k key) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lru.Remove(k)
}

// has tells whether all blocks of a segment are there, or on their way.
func (m *memory) has(p *catalog.Place) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, last := blocksOf(p); i <= last; i++ {
		k := key{p.Pack.Key, block, uint32(i)}
		if !m.lru.Contains(k) && m.flights[k] == nil {
			return false
		}
	}
	return true
}

// room tells whether bytes more may be ahead of the readers.
func (m *memory) room(bytes, limit int64) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.ahead+bytes <= limit
}

// passed takes bytes off what is ahead of the readers.
func (m *memory) passed(bytes int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ahead -= bytes
}

// clear gives everything back. Nothing may be on its way.
func (m *memory) clear() {
	m.mu.Lock()
	m.lru.Purge()
	m.mu.Unlock()
	m.pool.trim()
}
