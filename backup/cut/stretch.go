package cut

import (
	"context"
	"errors"
	"io"
)

// readBytes is what one read fetches at most: enough for the call not to count, little enough for the processor's cache.
const readBytes = 1 << 20

// scratch is what a Cut under way needs: made once, used again and again.
type scratch struct {
	small  []byte // for what is one chunk
	window []byte // of 2 × Max bytes, for what must be cut
}

// job is one Cut.
type job struct {
	params  *Params
	scratch *scratch
	gear    *gear
	file    File
	emit    Emit
}

// stretch cuts the data from start to end.
func (j *job) stretch(ctx context.Context, start, end int64) error {
	switch {
	case j.params.Fixed > 0:
		return j.fixed(ctx, start, end)
	case end-start <= int64(j.params.Min):
		return j.whole(ctx, start, end)
	}
	return j.defined(ctx, start, end)
}

// fixed cuts at the multiples of Fixed.
func (j *job) fixed(ctx context.Context, start, end int64) error {
	step := int64(j.params.Fixed)
	for start < end {
		to := min(end, start-start%step+step)
		if err := j.whole(ctx, start, to); err != nil {
			return err
		}
		start = to
	}
	return nil
}

// whole emits the data from start to end as one chunk.
func (j *job) whole(ctx context.Context, start, end int64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	n := int(end - start)
	s := j.scratch
	if s.small == nil {
		s.small = j.params.Buffer(max(j.params.Min, j.params.Fixed)) // no chunk that is read whole is larger
	}
	s.small = s.small[:n]
	got, err := j.file.ReadAt(s.small, start)
	if got < n && (err == nil || errors.Is(err, io.EOF)) {
		err = ErrShrunk
	} else if got == n {
		err = nil
	}
	if got > 0 && (err == nil || errors.Is(err, ErrShrunk)) {
		if failed := j.one(start, s.small[:got]); failed != nil {
			return failed
		}
	}
	return err
}

func (j *job) one(off int64, plain []byte) error { return j.emit(off, plain, j.params.Hash(plain)) }

// defined lets the data from start to end say where they are cut.
func (j *job) defined(ctx context.Context, start, end int64) error {
	if j.scratch.window == nil {
		j.scratch.window = j.params.Buffer(2 * j.params.Max)
	}
	w := window{buf: j.scratch.window, file: j.file, off: start, end: end}
	for off := start; ; {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := w.fill(j.params.Max)
		if err != nil {
			return err
		}
		if len(data) == 0 {
			break
		}
		n := j.gear.cut(data)
		if err := j.one(off, data[:n]); err != nil {
			return err
		}
		w.from += n
		off += int64(n)
	}
	if w.shrunk {
		return ErrShrunk
	}
	return nil
}

// window slides over a stretch of a file.
type window struct {
	buf      []byte
	from, to int // what was read and is not yet cut is buf[from:to]
	file     File
	off, end int64 // what is still to be read
	shrunk   bool  // there was less than that
}

// fill reads until the window holds n bytes, and returns them; fewer at the end.
func (w *window) fill(n int) ([]byte, error) {
	for w.to-w.from < n && w.off < w.end && !w.shrunk {
		if w.from == w.to {
			w.from, w.to = 0, 0
		}
		if w.to == len(w.buf) {
			w.to = copy(w.buf, w.buf[w.from:])
			w.from = 0
		}
		p := w.buf[w.to:]
		p = p[:min(int64(len(p)), w.end-w.off, readBytes)]
		got, err := w.file.ReadAt(p, w.off)
		w.to += got
		w.off += int64(got)
		switch {
		case got == len(p):
		case err == nil, errors.Is(err, io.EOF):
			w.shrunk = true
		default:
			return nil, err
		}
	}
	return w.buf[w.from:min(w.to, w.from+n)], nil
}
