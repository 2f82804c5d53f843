package backup

import (
	"context"
	"crypto/rand"
	"sync/atomic"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/failpoint"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/s3store/seal"
)

// segment is one being made. The assembler fills it, a sealer seals it, the packer puts it into its pack.
type segment struct {
	id     catalog.ID
	number uint32 // in its pack
	pack   *packing
	plain  []byte
	length uint32 // of plain, when that is not needed any more
	sealed []byte
	chunks []pack.Chunk
	ready  chan struct{} // closed when it is sealed
}

// packing is a pack being made.
type packing struct {
	id  catalog.ID
	key catalog.PackID
	box *seal.Box

	next  uint32 // number of its next segment; the assembler's
	given int64  // bytes of plaintext that the assembler has given it

	packed atomic.Int64 // bytes of plaintext that the packer has put into it
	stored atomic.Int64 // what became of them, bytes

	buf  []byte        // where it is made, if it fits
	body []byte        // all of it, when it is finished
	done chan struct{} // closed when the store has it
}

func (a *assembler) newPacking() *packing {
	p := &packing{id: a.id(), done: make(chan struct{})}
	_, _ = rand.Read(p.key[:]) // never fails
	p.box = pack.SegmentBox(a.repo.Keys(), p.key)
	return p
}

// ratio is what was stored of a byte of plaintext in this pack, or before if that is not known yet.
func (p *packing) ratio(before float64) float64 {
	packed, stored := p.packed.Load(), p.stored.Load()
	if packed > 0 {
		return float64(stored) / float64(packed)
	}
	if before > 0 {
		return before
	}
	return 1
}

// full tells whether the pack has at least limit bytes when all that was given to it is in it.
func (p *packing) full(limit int, before float64) bool {
	const perSegment = 2048 // its part of the directory: it has many chunks if files are small
	waiting := p.given - p.packed.Load()
	size := float64(p.stored.Load()) + float64(max(waiting, 0))*p.ratio(before) + float64(p.next)*perSegment
	return size >= float64(limit)
}

// seal compresses and encrypts segments until there are no more.
func (r *run) seal(ctx context.Context, unsaid <-chan *segment, bufs *buffers) error {
	for s := range unsaid {
		s.sealed = pack.SealSegment(bufs.takeSealed(), s.pack.box, s.number, s.plain, r.o.Compression)
		s.length = uint32(len(s.plain))
		bufs.giveBlock(s.plain)
		s.plain = nil
		failpoint.Hit("backup.segment-sealed")
		close(s.ready)
	}
	return ctx.Err()
}

// pending is a batch that waits for its packs.
type pending struct {
	batch *catalog.Batch
	packs []*packing
	last  bool
}

// pack puts segments into packs and rows into batches, in the order in which they were assembled.
func (r *run) pack(ctx context.Context, groups <-chan *group, uploads chan<- *packing, batches chan<- *pending, bufs *buffers) error {
	p := &packer{run: r, uploads: uploads, batches: batches, bufs: bufs, now: &pending{batch: bufs.takeBatch()}}
	for g := range groups {
		if g.segment != nil {
			if err := p.segment(ctx, g.segment); err != nil {
				return err
			}
		}
		p.addRows(g.rows)
		if g.endPack || g.last {
			if err := p.finish(ctx); err != nil {
				return err
			}
		}
		if g.endBatch || g.last {
			if err := p.send(ctx, g.last); err != nil {
				return err
			}
		}
	}
	return context.Cause(ctx)
}

// packer fills one pack and one batch at a time.
type packer struct {
	*run
	uploads chan<- *packing
	batches chan<- *pending
	bufs    *buffers
	now     *pending
	open    *packing // nil: none is being filled
	writer  *pack.Writer
}

func (p *packer) segment(ctx context.Context, s *segment) error {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	if p.open == nil {
		buf, err := p.bufs.takePack(ctx)
		if err != nil {
			return err
		}
		s.pack.buf = buf
		p.open, p.writer = s.pack, pack.NewWriter(p.repo.Keys(), s.pack.id, s.pack.key, buf)
	}
	offset := p.writer.Append(s.id, s.number, s.sealed, s.length, s.chunks)
	p.now.batch.Segments = append(p.now.batch.Segments, catalog.Segment{
		ID: s.id, Pack: s.pack.id, Number: s.number, Offset: offset, Stored: uint32(len(s.sealed)), Length: s.length,
	})
	s.pack.stored.Add(int64(len(s.sealed)))
	s.pack.packed.Add(int64(s.length))
	p.bufs.giveSealed(s.sealed)
	s.sealed = nil
	return nil
}

func (p *packer) addRows(rows *catalog.Batch) {
	b := p.now.batch
	b.Chunks = append(b.Chunks, rows.Chunks...)
	b.Pieces = append(b.Pieces, rows.Pieces...)
	b.Values = append(b.Values, rows.Values...)
	b.Opened = append(b.Opened, rows.Opened...)
	b.Closed = append(b.Closed, rows.Closed...)
	b.Problems = append(b.Problems, rows.Problems...)
	p.progress.EntriesOpened.Add(int64(len(rows.Opened)))
	p.progress.EntriesClosed.Add(int64(len(rows.Closed)))
	giveRows(p.bufs.rows, rows)
}

// finish finishes the pack that is being filled, if there is one, and has it uploaded.
func (p *packer) finish(ctx context.Context) error {
	o := p.open
	if o == nil {
		return nil
	}
	p.open = nil
	o.body = p.writer.Finish()
	p.now.batch.Packs = append(p.now.batch.Packs, catalog.Pack{ID: o.id, Key: o.key, Size: int64(len(o.body))})
	p.now.packs = append(p.now.packs, o)
	p.progress.BytesStored.Add(int64(len(o.body)))
	p.progress.Objects.Add(1)
	failpoint.Hit("backup.pack-full")
	select {
	case p.uploads <- o:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// send hands over the batch that is being filled.
func (p *packer) send(ctx context.Context, last bool) error {
	p.now.last = last
	select {
	case p.batches <- p.now:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	p.now = &pending{}
	if !last {
		p.now.batch = p.bufs.takeBatch()
	}
	return nil
}

// upload puts packs into the store until there are no more.
func (r *run) upload(ctx context.Context, uploads <-chan *packing, bufs *buffers) error {
	for o := range uploads {
		if !r.o.DryRun {
			failpoint.Hit("backup.before-pack")
			if err := r.store.Put(ctx, pack.Key(o.key), o.body); err != nil {
				return err
			}
			failpoint.Hit("backup.after-pack")
		}
		bufs.givePack(o.buf)
		o.buf, o.body = nil, nil
		close(o.done)
	}
	return ctx.Err()
}
