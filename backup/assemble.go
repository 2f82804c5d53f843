package backup

import (
	"context"
	"time"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/pack"
)

// group is a segment and the rows that may be written when it is in the store: those of its chunks, and those of names
// whose last chunk is in it. Or rows alone, which need nothing but what was before them.
type group struct {
	segment  *segment // nil: rows alone
	rows     *catalog.Batch
	endPack  bool // the segment is the last of its pack
	endBatch bool // so are the rows of their batch
	last     bool // all is done
}

// assemble opens parcels in their order. It decides which chunks are new, gives them their IDs and their places, and makes
// the rows of all names. Being alone, it finds a chunk that two readers have read at the same time.
func (r *run) assemble(
	ctx context.Context, queue <-chan *parcel, streams <-chan struct{}, unsaid chan<- *segment, groups chan<- *group, bufs *buffers,
) error {
	a := &assembler{
		run: r, ctx: ctx, streams: streams, unsaid: unsaid, groups: groups, bufs: bufs, known: newKnownSet(),
		rows: takeRows(bufs.rows), since: time.Now(),
	}
	for p := range queue {
		if err := a.parcel(p); err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// assembler makes segments and rows.
type assembler struct {
	*run
	ctx     context.Context //nolint:containedctx // lives as long as the stage
	streams <-chan struct{} // has one for each large file on its way
	unsaid  chan<- *segment
	groups  chan<- *group
	bufs    *buffers
	known   *knownSet

	open *segment       // being filled, nil if none is
	rows *catalog.Batch // those since the last group

	late lateLinks

	pack       *packing // where the next segment goes, nil: a new one
	ratio      float64  // of what is stored to plaintext, in the pack before
	batchRows  int
	batchPacks int
	since      time.Time // when the batch began
	whole      bool      // the batch must not end now
}

func (a *assembler) parcel(p *parcel) error {
	if p.stream != nil {
		return a.stream(p)
	}
	select {
	case <-p.ready:
	case <-a.ctx.Done():
		return context.Cause(a.ctx)
	}
	if err := a.block(&p.block); err != nil {
		return err
	}
	for i := range p.jobs {
		j, res := &p.jobs[i], &p.results[i]
		a.whole = j.whole
		switch {
		case j.barrier != nil:
			close(j.barrier)
		case j.end:
			return a.pass(true)
		case j.close != nil:
			a.closeRows(j.close)
		default:
			a.name(j, res, data{chunks: p.block.chunks[res.first:res.last]})
		}
		if err := a.maybePass(); err != nil {
			return err
		}
	}
	return nil
}

// maybePass passes rows on that need no data, and a segment that too many rows wait for.
func (a *assembler) maybePass() error {
	if n := a.rows.Rows(); a.whole || n < a.sizes.rowsOnly || a.open != nil && n < 8*a.sizes.rowsOnly {
		return nil
	}
	return a.pass(false)
}

// block puts the new ones of some chunks into segments, and notes the IDs of all of them.
func (a *assembler) block(b *block) error {
	fresh := 0
	for i := range b.chunks {
		if c := &b.chunks[i]; c.known == 0 {
			if c.known = a.known.get(&c.hash); c.known == 0 {
				fresh += c.length
			}
		}
	}
	if a.open != nil && len(a.open.plain)+fresh > pack.SegmentSize && fresh > pack.SegmentSize/2 {
		if err := a.pass(false); err != nil {
			return err
		}
	}
	adopted := a.open == nil && fresh >= pack.SegmentSize/2
	if adopted {
		a.begin(b.data[:0])
	}
	for i := range b.chunks {
		c := &b.chunks[i]
		if c.known != 0 {
			continue
		}
		if c.known = a.known.get(&c.hash); c.known != 0 { // twice in this block
			continue
		}
		if err := a.add(c, b.data[c.at:c.at+c.length], adopted); err != nil {
			return err
		}
	}
	if !adopted {
		a.bufs.giveBlock(b.data)
	}
	b.data = nil
	return nil
}

// begin begins a segment in a buffer.
func (a *assembler) begin(buf []byte) {
	if a.pack == nil {
		a.pack = a.newPacking()
	}
	a.open = &segment{id: a.id(), number: a.pack.next, pack: a.pack, plain: buf, ready: make(chan struct{})}
	a.pack.next++
}

// add appends a new chunk to the open segment. If plain lies in the segment's own buffer, it is moved down in it.
func (a *assembler) add(c *found, plain []byte, adopted bool) error {
	if !adopted && a.open != nil && len(a.open.plain)+len(plain) > pack.SegmentSize {
		if err := a.pass(false); err != nil {
			return err
		}
	}
	if a.open == nil {
		a.begin(a.bufs.takeBlock())
	}
	s := a.open
	at := len(s.plain)
	if adopted && at == c.at {
		s.plain = s.plain[:at+len(plain)]
	} else {
		s.plain = append(s.plain, plain...)
	}
	c.known = a.id()
	s.chunks = append(s.chunks, pack.Chunk{ID: c.known, Hash: c.hash, Offset: uint32(at), Length: uint32(len(plain))})
	a.rows.Chunks = append(a.rows.Chunks, catalog.Chunk{
		ID: c.known, Hash: c.hash, Segment: s.id, Offset: uint32(at), Length: uint32(len(plain)),
	})
	a.known.put(&c.hash, c.known)
	a.progress.BytesNew.Add(int64(len(plain)))
	return nil
}

// pass passes on the open segment and all rows. last tells that there is nothing more.
func (a *assembler) pass(last bool) error {
	a.rows.Problems = append(a.rows.Problems, a.takeProblems()...)
	g := &group{segment: a.open, rows: a.rows, last: last}
	a.batchRows += a.rows.Rows()
	if g.segment != nil {
		a.batchRows++
		a.pack.given += int64(len(g.segment.plain))
		g.endPack = a.pack.full(a.sizes.packSize, a.ratio)
	}
	if g.endPack {
		a.batchPacks++
	}
	age := time.Since(a.since)
	full := a.batchPacks >= batchPacks || a.batchRows >= a.sizes.batchRows || age > batchAge || a.batchRows >= crowdedRows && crowded()
	g.endBatch = !a.whole && (g.endPack && full ||
		a.batchRows >= a.sizes.maxBatchRows || age > oldBatchAge)
	if g.endBatch {
		a.batchRows, a.batchPacks, a.since = 0, 0, time.Now()
		g.endPack = true
	}
	if g.endPack && a.pack != nil {
		a.ratio = a.pack.ratio(a.ratio)
		a.pack = nil
	}
	a.open, a.rows = nil, takeRows(a.bufs.rows)
	select {
	case a.groups <- g:
	case <-a.ctx.Done():
		return context.Cause(a.ctx)
	}
	if g.segment == nil {
		return nil
	}
	select {
	case a.unsaid <- g.segment:
		return nil
	case <-a.ctx.Done():
		return context.Cause(a.ctx)
	}
}
