package cache

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/seal"
)

// verified is the set of a segment's chunks whose hashes were compared. Chunks are mostly verified in their order.
type verified struct {
	mu  sync.Mutex
	ids []catalog.ID
}

func (v *verified) has(id catalog.ID) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	_, ok := slices.BinarySearch(v.ids, id)
	return ok
}

func (v *verified) add(id catalog.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if i, ok := slices.BinarySearch(v.ids, id); !ok {
		v.ids = slices.Insert(v.ids, i, id)
	}
}

// chunk gives the plaintext of a chunk, verified, in a segment that the caller must release.
func (r *Reader) chunk(ctx context.Context, p *catalog.Place) (*resident, []byte, error) {
	if err := p.Check(); err != nil {
		return nil, nil, err
	}
	if int64(p.Segment.Stored) > int64(p.Segment.Length)+seal.Overhead {
		return nil, nil, catalog.Invalidf("segment %s has %d bytes in the pack for %d of plaintext", p.Segment.ID, p.Segment.Stored, p.Segment.Length)
	}
	s, err := r.segment(ctx, p)
	if err != nil {
		return nil, nil, err
	}
	if len(s.data) != int(p.Segment.Length) {
		s.release()
		return nil, nil, r.damage(p, p.Chunk, fmt.Sprintf("the segment has %d bytes, the catalog says %d", len(s.data), p.Segment.Length))
	}
	plain := s.data[p.Offset : p.Offset+p.Length : p.Offset+p.Length]
	if !s.verified.has(p.Chunk) {
		if r.opener.hash(plain) != p.Hash {
			s.release()
			return nil, nil, r.damage(p, p.Chunk, "its hash is another than the catalog says")
		}
		s.verified.add(p.Chunk)
	}
	return s, plain, nil
}

// segment gives a decoded segment with a reference. It is decoded once for all who wait for it.
func (r *Reader) segment(ctx context.Context, p *catalog.Place) (*resident, error) {
	for {
		s, f, own := r.seek(p, false)
		if s != nil {
			return s, nil
		}
		s, err := r.memory.wait(ctx, segmentKey(p), f)
		if err == nil || own || ctx.Err() != nil || r.ctx.Err() != nil {
			return s, err
		} // what another one began may have failed for his reasons
	}
}

// seek looks for a segment, and starts decoding it if nobody has; then the flight is the caller's own. Nobody waits for
// what is decoded ahead: it returns nothing.
func (r *Reader) seek(p *catalog.Place, ahead bool) (s *resident, f *flight, own bool) {
	k := segmentKey(p)
	m := r.memory
	m.mu.Lock()
	if ahead && (m.lru.Contains(k) || m.flights[k] != nil) {
		m.mu.Unlock()
		return nil, nil, false
	}
	if s, f = m.find(k); s != nil || f != nil {
		m.mu.Unlock()
		return s, f, false
	}
	ctx, cancel := context.WithCancel(r.ctx)
	f = m.launch(k, &group{ahead: ahead, cancel: cancel})
	if !ahead {
		m.join(f)
	}
	m.mu.Unlock()
	place := *p
	run := func() {
		defer cancel()
		s, err := r.decode(ctx, &place)
		m.land(k, f, s, err)
	}
	if !r.start(run) {
		cancel()
		m.land(k, f, nil, ErrClosed)
	}
	return nil, f, true
}

// decode reads and opens a segment. What does not open is read once more, past all caches: the store has the last word.
func (r *Reader) decode(ctx context.Context, p *catalog.Place) (*resident, error) {
	s, err := r.open(ctx, p)
	damage, ok := err.(*DamageError)
	if !ok {
		return s, err
	}
	first, last := blocksOf(p)
	for i := first; i <= last; i++ {
		k := key{p.Pack.Key, block, uint32(i)}
		r.memory.drop(k)
		if r.disk != nil {
			r.disk.remove(k)
		}
	}
	if s, err = r.open(ctx, p); err != nil && ctx.Err() == nil {
		if _, again := err.(*DamageError); !again {
			return nil, fmt.Errorf("%w; reading it again: %w", damage, err)
		}
	}
	return s, err
}

// blocksOf are the first and the last block that have a part of the segment.
func blocksOf(p *catalog.Place) (first, last int64) {
	s := &p.Segment
	return blockAt(s.Offset, p.Pack.Size), blockAt(s.Offset+int64(s.Stored)-1, p.Pack.Size)
}

// open makes a resident of a segment out of blocks.
func (r *Reader) open(ctx context.Context, p *catalog.Place) (*resident, error) {
	sealed, err := r.sealed(ctx, p)
	if err != nil {
		return nil, err
	}
	defer sealed.release()
	select {
	case r.decoders <- struct{}{}:
		defer func() { <-r.decoders }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	length := p.Segment.Length
	r.memory.expect(int64(length))
	defer r.memory.arrived(int64(length))
	buf, err := r.memory.pool.get(int(length))
	if err != nil {
		return nil, err
	}
	plain, err := r.opener.open(buf.bytes[:0], p.Pack.Key, p.Segment.Number, sealed.bytes, length)
	if err == nil && (len(plain) != int(length) || &plain[0] != &buf.bytes[0]) {
		err = fmt.Errorf("%d bytes for %d", len(plain), length)
	}
	if err != nil {
		buf.release()
		return nil, r.damage(p, 0, err.Error())
	}
	sealed.consumed(r.memory)
	return &resident{buf: buf, data: plain, cost: int64(len(buf.bytes))}, nil
}

func (r *Reader) damage(p *catalog.Place, chunk catalog.ID, reason string) *DamageError {
	return &DamageError{Pack: r.opener.object(p.Pack.Key), PackID: p.Pack.Key, Segment: p.Segment.Number, Chunk: chunk, Reason: reason}
}
