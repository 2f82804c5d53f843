package cache

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"sync"

	"github.com/bus3/bus3/catalog"
)

const (
	// windowRows is how many places one query asks for: a directory of small files, or 300 MB of a large one.
	windowRows = 512
	// atlasRows is how many places are kept, of 136 bytes each.
	atlasRows = 64 << 10
	// idAlign and offsetAlign are how far back a window begins before what is looked for, so that readers that do not
	// go straight on find it again. At most idAlign-1 chunks can have IDs between, so the one looked for is in it.
	idAlign     = 256
	offsetAlign = 64 << 20
)

// line is an order of chunks in which they are read one after the other: the pieces of a content, by offset, or (0) the
// chunks of the repository by ID, which is how they were packed.
type line catalog.ID

const byID line = 0

// window is a stretch of a line that is known: all its chunks from the position from up to, but without, to. Positions
// are offsets in the file, or chunk IDs. Windows do not change.
type window struct {
	line     line
	from, to int64
	rows     []catalog.PlacedPiece // ascending
	last     bool                  // there is nothing beyond
	used     uint64                // of atlas.clock, guarded by atlas.mu
}

// at gives the row that covers a position, or the index of the next one after it.
func (w *window) at(pos int64) (index int, covered bool) {
	i, ok := slices.BinarySearchFunc(w.rows, pos, func(p catalog.PlacedPiece, pos int64) int { return cmp.Compare(p.Offset, pos) })
	if ok {
		return i, true
	}
	if w.line != byID && i > 0 && pos < w.rows[i-1].Offset+int64(w.rows[i-1].Place.Length) {
		return i - 1, true
	}
	return i, false
}

// atlas knows where chunks are: windows of lines, asked for once per neighbourhood, a bounded number of rows.
type atlas struct {
	cat     Catalog
	mu      sync.Mutex
	windows map[line][]*window // sorted, without overlaps
	loading map[loadKey]chan struct{}
	rows    int
	clock   uint64
}

type loadKey struct {
	line line
	from int64
}

func newAtlas(cat Catalog) *atlas {
	return &atlas{cat: cat, windows: make(map[line][]*window), loading: make(map[loadKey]chan struct{})}
}

// window gives the window that has a position of a line.
func (a *atlas) window(ctx context.Context, l line, pos int64) (*window, error) {
	k := loadKey{l, pos - pos%offsetAlign}
	if l == byID {
		k.from = max(pos-pos%idAlign, 1)
	}
	for {
		a.mu.Lock()
		if w := a.find(l, pos); w != nil {
			a.mu.Unlock()
			return w, nil
		}
		busy := a.loading[k]
		if busy == nil {
			a.loading[k] = make(chan struct{})
			a.mu.Unlock()
			return a.lead(ctx, k, pos)
		}
		a.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// find, under mu, gives the window that has a position.
func (a *atlas) find(l line, pos int64) *window {
	ws := a.windows[l]
	i, ok := slices.BinarySearchFunc(ws, pos, func(w *window, pos int64) int { return cmp.Compare(w.from, pos) })
	if !ok {
		i--
	}
	if i < 0 || pos >= ws[i].to {
		return nil
	}
	a.clock++
	ws[i].used = a.clock
	return ws[i]
}

// lead loads a window for all who wait for it.
func (a *atlas) lead(ctx context.Context, k loadKey, pos int64) (*window, error) {
	w, err := a.load(ctx, k.line, k.from)
	if err == nil && pos >= w.to { // small pieces: the stretch ended before
		w, err = a.load(ctx, k.line, pos)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	close(a.loading[k])
	delete(a.loading, k)
	if err != nil {
		return nil, err
	}
	if now := a.find(k.line, pos); now != nil {
		return now, nil // a neighbour's window came first, and reaches this far
	}
	return a.insert(w, pos), nil
}

// load asks the catalog.
func (a *atlas) load(ctx context.Context, l line, from int64) (*window, error) {
	w := &window{line: l, from: from}
	var err error
	if l == byID {
		err = a.cat.PlacesFrom(ctx, catalog.ID(from), windowRows, func(p *catalog.Place) error {
			return w.append(int64(p.Chunk), p)
		})
	} else {
		err = a.cat.Pieces(ctx, catalog.ID(l), from, windowRows, func(p *catalog.PlacedPiece) error {
			return w.append(p.Offset, &p.Place)
		})
		if err == nil && len(w.rows) == 0 {
			err = a.exists(ctx, l)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("find chunks in the catalog: %w", err)
	}
	w.rows = slices.Clip(w.rows)
	w.close()
	return w, nil
}

// exists tells a content that has no pieces where they were asked for, which is a hole, from one that has none at all:
// its rows are missing, and what they would say is no hole.
func (a *atlas) exists(ctx context.Context, l line) error {
	some := false
	err := a.cat.Pieces(ctx, catalog.ID(l), 0, 1, func(*catalog.PlacedPiece) error {
		some = true
		return nil
	})
	if err == nil && !some {
		err = catalog.Invalidf("content %s has no pieces", catalog.ID(l))
	}
	return err
}

// append adds a row, which must lie behind the ones before.
func (w *window) append(pos int64, p *catalog.Place) error {
	end := pos + 1
	if w.line != byID {
		end = pos + int64(p.Length)
	}
	if pos < 0 || end <= pos || len(w.rows) > 0 && pos < w.end() {
		return catalog.Invalidf("content %s has a piece at %d with %d bytes, behind %d pieces", catalog.ID(w.line), pos, p.Length, len(w.rows))
	}
	w.rows = append(w.rows, catalog.PlacedPiece{Offset: pos, Place: *p})
	return nil
}

// end is the position behind the last row.
func (w *window) end() int64 {
	last := &w.rows[len(w.rows)-1]
	if w.line == byID {
		return last.Offset + 1
	}
	return last.Offset + int64(last.Place.Length)
}

// close sets what the window covers from how many rows the catalog gave.
func (w *window) close() {
	w.last = len(w.rows) < windowRows
	switch {
	case w.line != byID && w.last:
		w.to = math.MaxInt64 // nothing follows, or a hole up to the end of the file
	case len(w.rows) > 0:
		w.to = w.end()
	default:
		w.to = w.from
	}
	if w.line != byID && len(w.rows) > 0 {
		w.from = min(w.from, w.rows[0].Offset)
	}
}

// insert, under mu, keeps a window, and gives the one for pos, which no window has. Where it overlaps with others it is cut.
func (a *atlas) insert(w *window, pos int64) *window {
	if pos >= w.to {
		return w // what was looked for is not there: nothing to keep
	}
	for _, old := range a.windows[w.line] {
		if old.to <= pos {
			w.from = max(w.from, old.to)
		} else if old.from < w.to {
			w.to, w.last = old.from, false
		}
	}
	if n := len(w.rows); n > 0 {
		w.rows = slices.DeleteFunc(w.rows, func(p catalog.PlacedPiece) bool { return p.Offset < w.from || p.Offset >= w.to })
		if len(w.rows) < n {
			w.rows = slices.Clone(w.rows) // without the memory of those that others have
		}
	}
	ws := a.windows[w.line]
	i, _ := slices.BinarySearchFunc(ws, w.from, func(o *window, from int64) int { return cmp.Compare(o.from, from) })
	a.windows[w.line] = slices.Insert(ws, i, w)
	a.rows += len(w.rows)
	a.clock++
	w.used = a.clock
	if a.rows > atlasRows || len(a.windows) > atlasRows/4 {
		a.evict()
	}
	return w
}

// evict, under mu, forgets the older half of the windows.
func (a *atlas) evict() {
	var ages []uint64
	for _, ws := range a.windows {
		for _, w := range ws {
			ages = append(ages, w.used)
		}
	}
	slices.Sort(ages)
	oldest := ages[len(ages)/2]
	for l, ws := range a.windows {
		kept := slices.DeleteFunc(ws, func(w *window) bool {
			if w.used < oldest {
				a.rows -= len(w.rows)
			}
			return w.used < oldest
		})
		if a.windows[l] = kept; len(kept) == 0 {
			delete(a.windows, l)
		}
	}
}

// forget drops a line's window, because what it says led nowhere: a pack may have been pruned since.
func (a *atlas) forget(l line, pos int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if w := a.find(l, pos); w != nil {
		a.rows -= len(w.rows)
		if a.windows[l] = slices.DeleteFunc(a.windows[l], func(o *window) bool { return o == w }); len(a.windows[l]) == 0 {
			delete(a.windows, l)
		}
	}
}
