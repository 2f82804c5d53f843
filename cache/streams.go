package cache

import (
	"context"
	"sync"

	"github.com/bus3/bus3/catalog"
)

const (
	// maxStreams is how many readers are followed at once.
	maxStreams = 64
	// startAhead is how many bytes a stream must have read before anything is fetched ahead for it: so one MiB anywhere,
	// with what the kernel reads ahead of it, costs no more than the blocks that it lies in.
	startAhead = 4 << 20
	// expected is how many of the segments that follow are taken for "going on": the kernel's reads overtake each other.
	expected = 3
	// decodeAhead is how many segments of a stream are decoded before they are asked for.
	decodeAhead = 2
	// recent is for how many changes of segment, of all streams, a stream counts as active.
	recent = 64
)

// stream is a reader that goes along a line.
type stream struct {
	now, before key
	next        [expected]key
	run         int64 // plaintext bytes since it began
	used        uint64
	pumping     bool   // a pump runs for it
	at          route  // where it is
	moved       uint64 // counts the changes of at
}

// streams finds out who reads on and on. mu is taken with no other lock held.
type streams struct {
	limit int64 // bytes that may be fetched ahead, for all
	mu    sync.Mutex
	list  []*stream
	clock uint64
}

func newStreams(limit int64) *streams { return &streams{limit: limit} }

// enter tells that row i of w is read. If that moves a stream on to another segment, it is returned; it needs a pump if
// start is true.
func (t *streams) enter(a *atlas, w *window, i int) (s *stream, start bool) {
	p := &w.rows[i].Place
	k := segmentKey(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, s := range t.list {
		if s.now == k || s.before == k {
			return nil, false
		}
	}
	t.clock++
	s = t.match(k)
	if s == nil {
		s = t.fresh()
	}
	s.before, s.now = s.now, k
	s.run += int64(p.Segment.Length)
	s.used = t.clock
	s.moved++
	s.at = route{atlas: a, w: w, next: i + 1}
	s.expect(k)
	start = !s.pumping && s.run > int64(p.Segment.Length)
	s.pumping = s.pumping || start
	return s, start
}

// match finds the stream that expects a segment.
func (t *streams) match(k key) *stream {
	for _, s := range t.list {
		for _, n := range s.next {
			if n == k {
				return s
			}
		}
		// As it was packed: also where the window ends, or files are read in another order than they were packed in.
		if s.now.pack == k.pack && k.number > s.now.number && k.number-s.now.number <= expected {
			return s
		}
	}
	return nil
}

// fresh gives an empty stream, at the cost of the one that did not move for the longest time.
func (t *streams) fresh() *stream {
	if len(t.list) < maxStreams {
		t.list = append(t.list, &stream{})
		return t.list[len(t.list)-1]
	}
	oldest := 0
	for i, s := range t.list {
		if s.used < t.list[oldest].used {
			oldest = i
		}
	}
	t.list[oldest] = &stream{}
	return t.list[oldest]
}

// expect notes the segments that follow, as far as they are known.
func (s *stream) expect(k key) {
	s.next = [expected]key{}
	n := 0
	for i := s.at.next; i < len(s.at.w.rows) && n < expected; i++ {
		if f := segmentKey(&s.at.w.rows[i].Place); f != k && (n == 0 || f != s.next[n-1]) {
			s.next[n] = f
			n++
		}
	}
}

// allowance is how many bytes may be ahead of a stream: no more than it has read, and its share of what all may.
func (t *streams) allowance(s *stream) int64 {
	if s.run < startAhead {
		return 0
	}
	active := int64(0)
	for _, o := range t.list {
		if o.run >= startAhead && t.clock-o.used < recent {
			active++
		}
	}
	share := max(t.limit/max(active, 1), blockSize)
	return min(s.run, share, maxAhead)
}

// follow tells that row i of w is about to be read, and has what comes next fetched and decoded if somebody reads on.
func (r *Reader) follow(w *window, i int) {
	if r.options.NoReadAhead {
		return
	}
	s, start := r.streams.enter(r.atlas, w, i)
	if s == nil || !start {
		return
	}
	if !r.start(func() { r.pump(r.ctx, s) }) {
		r.streams.rest(s, s.moved)
	}
}

// pump works ahead of a stream until it has not moved in the meantime.
func (r *Reader) pump(ctx context.Context, s *stream) {
	for {
		r.streams.mu.Lock()
		at, allowed, moved := s.at, r.streams.allowance(s), s.moved
		here := s.now
		r.streams.mu.Unlock()
		r.workAhead(ctx, at, here, allowed)
		if r.streams.rest(s, moved) {
			return
		}
	}
}

// rest ends the pumping for a stream, unless it has moved.
func (t *streams) rest(s *stream, moved uint64) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s.moved == moved {
		s.pumping = false
	}
	return !s.pumping
}

// workAhead fetches the blocks of what follows on a route, up to so many bytes, and decodes the next segments. What goes
// wrong is for the reader to find out.
func (r *Reader) workAhead(ctx context.Context, at route, here key, allowed int64) {
	var list []*catalog.Place
	decode := make([]*catalog.Place, 0, decodeAhead)
	last := here
	for bytes := int64(0); bytes < allowed || len(decode) < decodeAhead; {
		p, err := at.step(ctx)
		if err != nil || p == nil || ctx.Err() != nil {
			break
		}
		k := segmentKey(p)
		if k == last || k == here {
			continue
		}
		if p.Check() != nil {
			break
		}
		last = k
		if bytes += int64(p.Segment.Stored); bytes <= allowed {
			list = append(list, p)
		}
		if len(decode) < decodeAhead {
			decode = append(decode, p)
		}
	}
	r.fetchAhead(list, r.streams.limit, true)
	for _, p := range decode {
		if r.memory.has(p) && r.memory.room(int64(p.Segment.Length), r.streams.limit) {
			r.seek(p, true)
		}
	}
}
