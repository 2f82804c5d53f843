package cache

import (
	"context"

	"github.com/bus3/bus3/catalog"
)

// request starts to fetch, without waiting, the blocks of all rows of a window from index i on that begin before the
// position end: so one read of several chunks joins its neighbouring blocks, and waits once.
func (r *Reader) request(w *window, i int, end int64) {
	if i+1 >= len(w.rows) || w.rows[i+1].Offset >= end {
		return
	}
	var list []*catalog.Place
	for ; i < len(w.rows) && w.rows[i].Offset < end; i++ {
		list = append(list, &w.rows[i].Place)
	}
	r.fetchAhead(list, r.memory.limit/2, false)
}

// Prefetch starts to fetch what chunks at these places need, in this order, as far as there is room for it, and returns
// at once. It is for callers that know what they will read, and ask for it soon. It tells how many of the places are
// taken care of.
func (r *Reader) Prefetch(places []*catalog.Place) int {
	return r.fetchAhead(places, r.streams.limit, false)
}

// maxAhead is how many bytes are fetched ahead of one stream at most: so that 50 ms per request leave more than 500 MB/s.
const maxAhead = 40 << 20

// fetchAhead starts fetching the blocks that segments need, in their order, which are neither in memory nor on their way,
// as long as what was fetched ahead and is not used yet stays below the limit. It tells how many segments it got to. In
// pairs, it does not wait until somebody comes near the second block of a pair: who reads along needs half the GETs.
func (r *Reader) fetchAhead(places []*catalog.Place, limit int64, pairs bool) int {
	m := r.memory
	var runs []*run
	m.mu.Lock()
	n := 0
	for full := false; n < len(places); n++ {
		if runs, full = r.fetchSegment(runs, places[n], limit, pairs); full {
			break
		}
	}
	m.mu.Unlock()
	r.depart(runs)
	return n
}

// fetchSegment, under memory.mu, adds the blocks of a segment to the runs that are to be fetched.
func (r *Reader) fetchSegment(runs []*run, p *catalog.Place, limit int64, pairs bool) (_ []*run, full bool) {
	m := r.memory
	k := segmentKey(p)
	if m.lru.Contains(k) || m.flights[k] != nil || p.Check() != nil {
		return runs, false // it is decoded already, or who reads it is told; its blocks may have been given back
	}
	first, last := blocksOf(p)
	if pairs && limit >= 4*blockSize && last%runBlocks == 0 && last+1 < blockCount(p.Pack.Size) && !m.block(p, last) {
		last++
		if m.ahead+runBlocks*blockSize > limit {
			return runs, true
		}
	}
	for index := first; index <= last; index++ {
		if m.block(p, index) {
			continue
		}
		off, end := blockRange(index, p.Pack.Size)
		if m.ahead+end-off > limit {
			return runs, true
		}
		if len(runs) > 0 && runs[len(runs)-1].follows(&p.Pack, index) {
			runs[len(runs)-1].extend(m)
		} else {
			runs = append(runs, r.launchRun(&p.Pack, index, true))
		}
		m.ahead += end - off
	}
	return runs, false
}

// block tells, under mu, whether a block of the segment's pack is in memory or on its way.
func (m *memory) block(p *catalog.Place, index int64) bool {
	k := key{p.Pack.Key, block, uint32(index)}
	f := m.flights[k]
	return m.lru.Contains(k) || f != nil && !f.group.dead
}

// route walks along a line, from window to window.
type route struct {
	atlas *atlas
	w     *window
	next  int // index in w
}

// step gives the next place, or nil at the end of the line.
func (t *route) step(ctx context.Context) (*catalog.Place, error) {
	for t.next >= len(t.w.rows) {
		if t.w.last {
			return nil, nil
		}
		w, err := t.atlas.following(ctx, t.w)
		if err != nil || w == nil {
			return nil, err
		}
		t.w, t.next = w, 0
	}
	p := &t.w.rows[t.next].Place
	t.next++
	return p, nil
}

// following gives the window behind w; nil if there is none.
func (a *atlas) following(ctx context.Context, w *window) (*window, error) {
	pos := w.to
	a.mu.Lock()
	next := a.find(w.line, pos)
	a.mu.Unlock()
	if next != nil {
		return next, nil
	}
	next, err := a.load(ctx, w.line, pos)
	if err != nil || len(next.rows) == 0 {
		return nil, err
	}
	next.from = min(next.from, pos)
	a.mu.Lock()
	defer a.mu.Unlock()
	if now := a.find(w.line, pos); now != nil {
		return now, nil
	}
	return a.insert(next, pos), nil
}
