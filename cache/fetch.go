package cache

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/bus3/bus3/catalog"
)

// run is a row of neighbouring blocks of a pack that are fetched together.
type run struct {
	pack    catalog.PackID
	size    int64 // of the pack
	first   int64 // index
	flights []*flight
	group   *group
	ctx     context.Context // the group's: ends when nobody waits
}

func (n *run) key(i int) key { return key{n.pack, block, uint32(n.first + int64(i))} }

// bounds is where the blocks i to j-1 of the run begin and end in the pack.
func (n *run) bounds(i, j int) (off, end int64) {
	off, _ = blockRange(n.first+int64(i), n.size)
	_, end = blockRange(n.first+int64(j)-1, n.size)
	return off, end
}

// launchRun, under memory.mu, begins a run with one block.
func (r *Reader) launchRun(p *catalog.Pack, index int64, ahead bool) *run {
	n := &run{pack: p.Key, size: p.Size, first: index}
	var cancel context.CancelFunc
	n.ctx, cancel = context.WithCancel(r.ctx)
	n.group = &group{ahead: ahead, cancel: cancel}
	n.extend(r.memory)
	return n
}

// extend, under memory.mu, adds the next block to the run.
func (n *run) extend(m *memory) {
	n.flights = append(n.flights, m.launch(n.key(len(n.flights)), n.group))
}

// follows tells whether index is the next block of the run, and the run may grow.
func (n *run) follows(p *catalog.Pack, index int64) bool {
	return n != nil && n.pack == p.Key && n.first+int64(len(n.flights)) == index && len(n.flights) < runBlocks
}

// depart starts fetching, in the background.
func (r *Reader) depart(runs []*run) {
	for _, n := range runs {
		if !r.start(func() { r.fetch(n) }) {
			n.fail(r.memory, 0, len(n.flights), ErrClosed) // what is ahead does not count any more
			n.group.cancel()
		}
	}
}

// blocks gives the blocks first to last of a pack with a reference to each. Those that are neither there nor on their
// way are fetched, neighbours together.
func (r *Reader) blocks(ctx context.Context, p *catalog.Pack, first, last int64) ([]*resident, error) {
	type place struct {
		flight *flight
		own    bool
	}
	found := make([]*resident, last-first+1)
	waits := make([]place, len(found))
	var runs []*run
	r.memory.mu.Lock()
	for i := range found {
		index := first + int64(i)
		k := key{p.Key, block, uint32(index)}
		if found[i], waits[i].flight = r.memory.find(k); found[i] != nil || waits[i].flight != nil {
			continue
		}
		if len(runs) > 0 && runs[len(runs)-1].follows(p, index) {
			runs[len(runs)-1].extend(r.memory)
		} else {
			runs = append(runs, r.launchRun(p, index, false))
		}
		waits[i] = place{r.memory.flights[k], true}
		r.memory.join(waits[i].flight)
	}
	r.memory.mu.Unlock()
	r.depart(runs)

	var failed error
	for i, w := range waits {
		k := key{p.Key, block, uint32(first + int64(i))}
		switch {
		case w.flight == nil:
		case failed != nil:
			r.memory.leave(k, w.flight)
		default:
			found[i], failed = r.memory.wait(ctx, k, w.flight)
			if failed != nil && !w.own && ctx.Err() == nil { // what another one began may have failed for his reasons
				var again []*resident
				if again, failed = r.blocks(ctx, p, first+int64(i), first+int64(i)); failed == nil {
					found[i] = again[0]
				}
			}
		}
	}
	if failed != nil {
		releaseAll(found)
		return nil, failed
	}
	return found, nil
}

func releaseAll(rs []*resident) {
	for _, r := range rs {
		if r != nil {
			r.release()
		}
	}
}

// fetch lands all flights of a run: from the disk cache what it has, the rest from the store.
func (r *Reader) fetch(n *run) {
	defer n.group.cancel()
	if n.group.ahead { // from now on counted with what has landed
		off, end := n.bounds(0, len(n.flights))
		defer r.memory.passed(end - off)
	}
	missing := 0 // first block of the row that the disk does not have
	for i := range n.flights {
		if r.disk == nil {
			break
		}
		off, end := n.bounds(i, i+1)
		if found := r.disk.get(n.key(i), end-off); found != nil {
			r.get(n, missing, i)
			r.memory.land(n.key(i), n.flights[i], found, nil)
			missing = i + 1
		}
	}
	r.get(n, missing, len(n.flights))
}

// get reads the blocks i to j-1 of a run from the store and lands their flights.
func (r *Reader) get(n *run, i, j int) {
	if i == j {
		return
	}
	off, end := n.bounds(i, j)
	size := end - off
	if !n.group.ahead {
		weight := min(size, r.limit)
		if err := r.fetching.Acquire(n.ctx, weight); err != nil {
			n.fail(r.memory, i, j, context.Cause(n.ctx))
			return
		}
		defer r.fetching.Release(weight)
	}
	r.memory.expect(size)
	defer r.memory.arrived(size)
	buf, err := r.memory.pool.get(int(size))
	if err != nil {
		n.fail(r.memory, i, j, err)
		return
	}
	defer buf.release()
	object := r.opener.object(n.pack)
	got, err := r.store.GetRange(n.ctx, object, off, buf.bytes[:size])
	switch {
	case got < 0 || int64(got) > size:
		err = fmt.Errorf("%d bytes for %d", got, size)
	case errors.Is(err, io.ErrUnexpectedEOF) || (err == nil && int64(got) < size):
		err = nil // the object ends before its time: who needs what it lacks will notice
	}
	if err != nil {
		if cause := context.Cause(n.ctx); cause != nil {
			err = cause
		}
		n.fail(r.memory, i, j, fmt.Errorf("read %s at %d: %w", object, off, err))
		return
	}
	r.unload(n, i, j, buf, int64(got))
}

// unload lands the blocks i to j-1 of a run, which are in buf one after the other, got bytes of them.
func (r *Reader) unload(n *run, i, j int, buf *buffer, got int64) {
	start, _ := n.bounds(i, j)
	for b := i; b < j; b++ {
		off, end := n.bounds(b, b+1)
		off, end = min(off-start, got), min(end-start, got)
		buf.retain()
		found := &resident{buf: buf, data: buf.bytes[off:end], cost: end - off}
		_, want := n.bounds(b, b+1)
		if r.disk != nil && end == want-start {
			r.disk.offer(n.key(b), found)
		}
		r.memory.land(n.key(b), n.flights[b], found, nil)
	}
}

func (n *run) fail(m *memory, i, j int, err error) {
	for ; i < j; i++ {
		m.land(n.key(i), n.flights[i], nil, err)
	}
}
