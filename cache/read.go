package cache

import (
	"context"
	"fmt"

	"github.com/bus3/bus3/catalog"
)

// ReadAt reads the data of a regular file at off into dst. It is short only at the end of the file, where n < len(dst)
// comes without an error. Holes are zeros. Every byte of data was authenticated, and the hash of its chunk compared: a
// *DamageError says what is not as it was written. Whatever the error, the next read tries again.
//
// The end of ctx ends the wait at once, and leaves others alone who wait for the same.
func (r *Reader) ReadAt(ctx context.Context, e *catalog.Entry, dst []byte, off int64) (n int, err error) {
	if err := readable(e, off); err != nil {
		return 0, err
	}
	dst = dst[:max(0, min(int64(len(dst)), e.Size-off))]
	switch {
	case len(dst) == 0:
		return 0, nil
	case e.Chunk != 0:
		err = r.readChunk(ctx, e.Chunk, dst, off)
	case e.Content != 0:
		err = r.readContent(ctx, line(e.Content), dst, off)
	default:
		clear(dst)
	}
	if err != nil {
		return 0, fmt.Errorf("read %q: %w", e.Name, err)
	}
	return len(dst), nil
}

// readable tells why a file cannot be read, if so.
func readable(e *catalog.Entry, off int64) error {
	switch none := e.Chunk == 0 && e.Content == 0; {
	case e.Kind != catalog.File:
		return catalog.Invalidf("read %q, a %s", e.Name, e.Kind)
	case off < 0:
		return catalog.Invalidf("read %q at %d", e.Name, off)
	case none && e.Flags&(catalog.Unreadable|catalog.Lost) != 0:
		return fmt.Errorf("read %q: %w", e.Name, ErrNotKept)
	}
	return nil
}

// readChunk reads of a file that is one chunk; what goes beyond it is a hole.
func (r *Reader) readChunk(ctx context.Context, id catalog.ID, dst []byte, off int64) error {
	w, i, err := r.find(ctx, id)
	if err != nil {
		return err
	}
	p := &w.rows[i].Place
	if off >= int64(p.Length) {
		clear(dst)
		return nil
	}
	r.follow(w, i)
	s, plain, err := r.chunk(ctx, p)
	if err != nil {
		r.atlas.forget(byID, int64(id))
		return err
	}
	clear(dst[copy(dst, plain[off:]):])
	s.release()
	return nil
}

// find gives the place of a chunk: a row of a window.
func (r *Reader) find(ctx context.Context, id catalog.ID) (*window, int, error) {
	if !id.Valid() {
		return nil, 0, catalog.Invalidf("chunk %s", id)
	}
	w, err := r.atlas.window(ctx, byID, int64(id))
	if err != nil {
		return nil, 0, err
	}
	if i, ok := w.at(int64(id)); ok {
		return w, i, nil
	}
	// The window may be older than the chunk, of a scan that runs.
	var found *window
	err = r.atlas.cat.ChunkPlaces(ctx, []catalog.ID{id}, func(p *catalog.Place) error {
		if p.Chunk == id {
			found = &window{line: byID, from: int64(id), to: int64(id) + 1, rows: []catalog.PlacedPiece{{Offset: int64(id), Place: *p}}}
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, 0, fmt.Errorf("find chunk %s: %w", id, err)
	case found == nil:
		return nil, 0, catalog.Invalidf("chunk %s is not in the catalog", id)
	}
	return found, 0, nil
}

// readContent reads of a file that has pieces; what no piece covers is a hole.
func (r *Reader) readContent(ctx context.Context, l line, dst []byte, off int64) error {
	for len(dst) > 0 {
		w, err := r.atlas.window(ctx, l, off)
		if err != nil {
			return err
		}
		n, err := r.readWindow(ctx, w, dst, off)
		if err != nil {
			r.atlas.forget(l, off)
			return err
		}
		dst, off = dst[n:], off+int64(n)
	}
	return nil
}

// readWindow reads what a window covers of dst.
func (r *Reader) readWindow(ctx context.Context, w *window, dst []byte, off int64) (n int, err error) {
	dst = dst[:min(int64(len(dst)), w.to-off)]
	i, _ := w.at(off)
	r.request(w, i, off+int64(len(dst)))
	for ; n < len(dst) && i < len(w.rows); i++ {
		row := &w.rows[i]
		pos := off + int64(n)
		if hole := min(row.Offset-pos, int64(len(dst)-n)); hole > 0 {
			clear(dst[n : n+int(hole)])
			n += int(hole)
			if pos = off + int64(n); n == len(dst) {
				return n, nil
			}
		}
		r.follow(w, i)
		s, plain, err := r.chunk(ctx, &row.Place)
		if err != nil {
			return n, err
		}
		n += copy(dst[n:], plain[pos-row.Offset:])
		s.release()
	}
	clear(dst[n:])
	return len(dst), nil
}

// Chunk gives fn the plaintext of a chunk, verified. fn must not keep it, nor write to it.
func (r *Reader) Chunk(ctx context.Context, p *catalog.Place, fn func(plain []byte) error) error {
	s, plain, err := r.chunk(ctx, p)
	if err != nil {
		return err
	}
	defer s.release()
	return fn(plain)
}
