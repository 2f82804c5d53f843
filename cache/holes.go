package cache

import (
	"context"
	"math"
	"syscall"

	"github.com/bus3/bus3/catalog"
)

// NextData is where the next data at or after off begin, as lseek(2) with SEEK_DATA: syscall.ENXIO if there are none.
func (r *Reader) NextData(ctx context.Context, e *catalog.Entry, off int64) (int64, error) {
	data, _, err := r.extent(ctx, e, off)
	if err == nil && data >= e.Size {
		err = syscall.ENXIO
	}
	return data, err
}

// NextHole is where the next hole at or after off begins, as lseek(2) with SEEK_HOLE: the end of the file is one.
// syscall.ENXIO if off is not in the file.
func (r *Reader) NextHole(ctx context.Context, e *catalog.Entry, off int64) (int64, error) {
	data, hole, err := r.extent(ctx, e, off)
	if err == nil && data > off {
		hole = off
	}
	return min(hole, e.Size), err
}

// extent gives the first data at or after off, and where they end; both are the end of the file if there are none.
func (r *Reader) extent(ctx context.Context, e *catalog.Entry, off int64) (data, hole int64, err error) {
	if err := readable(e, max(off, 0)); err != nil {
		return 0, 0, err
	}
	if off < 0 || off >= e.Size {
		return 0, 0, syscall.ENXIO
	}
	switch {
	case e.Chunk != 0:
		w, i, err := r.find(ctx, e.Chunk)
		if err != nil {
			return 0, 0, err
		}
		if end := int64(w.rows[i].Place.Length); off < end {
			return off, end, nil
		}
	case e.Content != 0:
		return r.extentOf(ctx, e, off)
	}
	return e.Size, e.Size, nil
}

// extentOf walks along the pieces of a content. A row of data costs a query per windowRows pieces, a hole none.
func (r *Reader) extentOf(ctx context.Context, e *catalog.Entry, off int64) (data, hole int64, err error) {
	data = -1
	for pos := off; pos < e.Size; {
		w, err := r.atlas.window(ctx, line(e.Content), pos)
		if err != nil {
			return 0, 0, err
		}
		i, _ := w.at(pos)
		for ; i < len(w.rows); i++ {
			row := &w.rows[i]
			switch {
			case data < 0:
				data = max(row.Offset, off)
			case row.Offset > pos:
				return data, pos, nil
			}
			pos = row.Offset + int64(row.Place.Length)
		}
		if w.to == math.MaxInt64 {
			if data < 0 || data >= e.Size {
				return e.Size, e.Size, nil
			}
			return data, min(pos, e.Size), nil
		}
		pos = w.to
	}
	if data < 0 {
		data = e.Size
	}
	return data, e.Size, nil
}
