package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bus3/bus3/catalog"
)

const (
	// planUnits is how many chunks are planned together: those of a window of small files, or 20 GB of a large one.
	planUnits = 32 << 10
	// pieceRows and placeRows are how many rows one query asks for.
	pieceRows = 1024
	placeRows = 1000
	// stretch is how many IDs apart chunks may be, on average, to be looked for as one stretch: other things of the scan
	// have IDs between them.
	stretch = 16
	// segmentsAhead is how many segments are asked for in advance.
	segmentsAhead = 64
)

// unit is one chunk of one file.
type unit struct {
	place catalog.Place
	file  *file
	off   int64 // in the file
}

// plan is units that are written in an order of their own, and files without data.
type plan struct {
	units []unit
	plain []*file
}

// task is the work of one worker at a time: the units of one segment, or files without data.
type task struct {
	units []unit
	plain []*file
}

// planner turns windows of files into plans.
type planner struct {
	*run
	plans  chan<- *plan
	plan   *plan
	chunks []*file // that are one chunk each
}

func (r *run) planAll(ctx context.Context, windows <-chan []*file, plans chan<- *plan) error {
	for window := range windows {
		p := &planner{run: r, plans: plans, plan: &plan{}}
		for _, f := range window {
			if err := p.add(ctx, f); err != nil {
				return err
			}
		}
		if err := p.places(ctx); err != nil {
			return err
		}
		if err := p.send(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *planner) send(ctx context.Context) error {
	select {
	case p.plans <- p.plan:
		p.plan = &plan{}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// add plans one file.
func (p *planner) add(ctx context.Context, f *file) error {
	e := &f.entry
	switch {
	case e.Kind == catalog.File && e.Chunk == 0 && e.Content == 0 && e.Flags&(catalog.Unreadable|catalog.Lost) != 0:
		p.fail(ctx, f, errNotKept)
	case e.Kind == catalog.File && e.Content != 0:
		return p.pieces(ctx, f)
	case e.Kind == catalog.File && e.Chunk != 0:
		p.chunks = append(p.chunks, f)
	default:
		p.plan.plain = append(p.plan.plain, f)
	}
	return nil
}

var errNotKept = errors.New("the backup has no data of this file")

// fail ends a file that has no units.
func (p *planner) fail(ctx context.Context, f *file, err error) {
	f.fail(err)
	p.finish(ctx, f, -1)
}

// pieces plans a file of several chunks. If it has more than a plan holds, the plans before are on their way already.
func (p *planner) pieces(ctx context.Context, f *file) error {
	f.pending.Store(1) // until all units are known
	end, rows := int64(0), pieceRows
	for rows == pieceRows && end < f.entry.Size && !f.failed() {
		rows = 0
		err := p.cat.Pieces(ctx, f.entry.Content, end, pieceRows, func(q *catalog.PlacedPiece) error {
			rows++
			if q.Offset < end || q.Offset >= f.entry.Size {
				return catalog.Invalidf("content %s has a piece at %d, behind %d and in %d bytes", f.entry.Content, q.Offset, end, f.entry.Size)
			}
			end = q.Offset + int64(q.Place.Length)
			f.pending.Add(1)
			p.plan.units = append(p.plan.units, unit{q.Place, f, q.Offset})
			return nil
		})
		if errors.Is(err, catalog.ErrInvalid) {
			f.fail(err)
		} else if err != nil {
			return fmt.Errorf("find the chunks of %q: %w", f.dir.child(f.entry.Name), err)
		}
		if len(p.plan.units) >= planUnits {
			if err := p.send(ctx); err != nil {
				return err
			}
		}
	}
	p.settle(ctx, f)
	return nil
}

// places plans the files that are one chunk each.
func (p *planner) places(ctx context.Context) error {
	slices.SortFunc(p.chunks, func(a, b *file) int { return cmp.Compare(a.entry.Chunk, b.entry.Chunk) })
	p.plan.units = slices.Grow(p.plan.units, len(p.chunks))
	for rest := p.chunks; len(rest) > 0; {
		part := rest[:min(len(rest), placeRows)]
		rest = rest[len(part):]
		if err := p.placesOf(ctx, part); err != nil {
			return err
		}
	}
	return nil
}

// placesOf plans some of them, which are sorted by chunk. What a scan has packed has IDs one after the other: one stretch
// of them is found at far less cost than as many single ones.
func (p *planner) placesOf(ctx context.Context, part []*file) error {
	var ids []catalog.ID
	for _, f := range part {
		if len(ids) == 0 || ids[len(ids)-1] != f.entry.Chunk {
			ids = append(ids, f.entry.Chunk)
		}
	}
	found := make([]catalog.Place, len(ids)) // Chunk is 0 where there is none
	note := func(q *catalog.Place) error {
		if i, ok := slices.BinarySearch(ids, q.Chunk); ok {
			found[i] = *q
		}
		return nil
	}
	rest := ids
	first, last := ids[0], ids[len(ids)-1]
	if first.Valid() && first.Scan() == last.Scan() && int64(last)-int64(first) < stretch*int64(len(ids)) {
		if err := p.cat.PlacesFrom(ctx, first, len(ids), note); err != nil {
			return fmt.Errorf("find chunks: %w", err)
		}
		rest = nil
		for i, id := range ids {
			if found[i].Chunk == 0 {
				rest = append(rest, id)
			}
		}
	}
	if len(rest) > 0 {
		if err := p.cat.ChunkPlaces(ctx, rest, note); err != nil {
			return fmt.Errorf("find chunks: %w", err)
		}
	}
	i := 0
	for _, f := range part {
		for ids[i] != f.entry.Chunk {
			i++
		}
		if found[i].Chunk == 0 {
			p.fail(ctx, f, catalog.Invalidf("chunk %s is not in the catalog", f.entry.Chunk))
			continue
		}
		f.pending.Store(1)
		p.plan.units = append(p.plan.units, unit{found[i], f, 0})
	}
	return nil
}

// dispatch gives plans to the workers: segment by segment, as they lie in packs, and has the next ones fetched meanwhile.
func (r *run) dispatch(ctx context.Context, plans <-chan *plan, tasks chan<- task) error {
	send := func(t task) error {
		select {
		case tasks <- t:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	for p := range plans {
		for plain := range slices.Chunk(p.plain, 128) {
			if err := send(task{plain: plain}); err != nil {
				return err
			}
		}
		slices.SortFunc(p.units, compareUnits)
		groups, places := bySegment(p.units)
		asked := 0
		for i, g := range groups {
			asked = max(asked, i)
			asked += r.reader.Prefetch(places[asked:min(i+segmentsAhead, len(places))])
			if err := send(task{units: g}); err != nil {
				return err
			}
		}
	}
	return nil
}

func compareUnits(a, b unit) int {
	return cmp.Or(
		cmp.Compare(a.place.Pack.ID, b.place.Pack.ID),
		cmp.Compare(a.place.Segment.Offset, b.place.Segment.Offset),
		cmp.Compare(a.place.Offset, b.place.Offset),
	)
}

// bySegment cuts sorted units where the segment changes, and gives the first place of each group.
func bySegment(units []unit) (groups [][]unit, places []*catalog.Place) {
	for start := 0; start < len(units); {
		end := start + 1
		for end < len(units) && units[end].place.Segment.ID == units[start].place.Segment.ID {
			end++
		}
		groups = append(groups, units[start:end:end])
		places = append(places, &units[start].place)
		start = end
	}
	return groups, places
}
