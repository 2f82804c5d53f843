package backup

import (
	"context"
	"errors"
	"fmt"

	"github.com/bus3/bus3/backup/cut"
	"github.com/bus3/bus3/backup/source"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/pack"
)

// read opens parcels until there are no more: it reads what the jobs in them need, and asks the catalog which chunks it has.
func (r *run) read(ctx context.Context, unread <-chan *parcel, bufs *buffers) error {
	w := &reader{run: r, bufs: bufs}
	for p := range unread {
		if err := w.parcel(ctx, p); err != nil {
			return err
		}
	}
	return nil
}

// reader is one of the goroutines that read.
type reader struct {
	*run
	bufs   *buffers
	hashes []catalog.Hash
	ids    []catalog.ID

	large *block // being filled
}

// errGrown ends the reading of a file that does not fit in its parcel any more.
var errGrown = errors.New("it has grown")

func (w *reader) parcel(ctx context.Context, p *parcel) error {
	p.results = make([]result, len(p.jobs))
	if p.stream != nil {
		defer close(p.stream)
		return w.stream(ctx, p)
	}
	for i := range p.jobs {
		if err := w.one(ctx, p, i); err != nil {
			return err
		}
	}
	if err := w.known(ctx, p.block.chunks); err != nil {
		return err
	}
	close(p.ready)
	return nil
}

// one does a job of a parcel of many.
func (w *reader) one(ctx context.Context, p *parcel, i int) error {
	j, out := &p.jobs[i], &p.results[i]
	switch {
	case j.stat == nil || j.made != nil || j.link != nil && !j.leads:
		return nil
	case !j.reads():
		out.stat = *j.stat
		return w.attributes(ctx, j, out)
	}
	if p.block.data == nil && j.stat.Size > 0 {
		p.block.data = w.bufs.takeBlock()
	}
	out.first = len(p.block.chunks)
	start := len(p.block.data)
	forget := func() { p.block.data, p.block.chunks = p.block.data[:start], p.block.chunks[:out.first] }
	err := w.file(ctx, j, out, forget, func(off int64, plain []byte, hash catalog.Hash) error {
		if len(p.block.data)+len(plain) > max(cap(p.block.data), parcelBytes+parcelSlack) {
			return errGrown
		}
		p.block.add(off, plain, hash)
		return nil
	})
	out.last = len(p.block.chunks)
	return err
}

// add appends a chunk to a block.
func (b *block) add(off int64, plain []byte, hash catalog.Hash) {
	b.chunks = append(b.chunks, found{hash: hash, file: off, at: len(b.data), length: len(plain)})
	b.data = append(b.data, plain...)
}

// file reads a file, again if it changes meanwhile. forget drops what emit was given.
func (w *reader) file(ctx context.Context, j *job, out *result, forget func(), emit cut.Emit) error {
	f, err := w.tree.OpenFile(j.dir, j.stat)
	if err != nil {
		return w.unreadable(ctx, j, out, err)
	}
	defer f.Close() //nolint:errcheck // nothing was written
	for attempt := 1; ; attempt++ {
		changed := false
		out.stat = f.Stat()
		read := int64(0) // holes are not
		err := w.cutter.Cut(ctx, f, out.stat.Size, func(off int64, plain []byte, hash catalog.Hash) error {
			read += int64(len(plain))
			return emit(off, plain, hash)
		})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		switch {
		case errors.Is(err, errGrown):
			forget()
			out.again = true
			return nil
		case errors.Is(err, cut.ErrShrunk):
			changed = true
		case errors.Is(err, errPipeline):
			return err
		case err != nil:
			forget()
			return w.unreadable(ctx, j, out, err)
		}
		w.progress.BytesRead.Add(read)
		if err := w.fileAttributes(ctx, f, out); err != nil {
			return err
		}
		_, moved, err := f.Changed()
		switch {
		case err == nil && !moved && !changed:
			return nil
		case attempt == attempts:
			out.flags |= catalog.Inconsistent
			out.problem = fmt.Sprintf("it changed while it was read, %d times; what was kept may be a mixture", attempts)
			return nil
		}
		forget()
		w.progress.Rereads.Add(1)
	}
}

// unreadable records a file whose data cannot be read: its attributes are kept, and that its data are missing.
func (w *reader) unreadable(ctx context.Context, j *job, out *result, cause error) error {
	if errors.Is(cause, source.ErrVanished) {
		out.vanished = true
		return nil
	}
	out.stat = *j.stat
	if err := w.attributes(ctx, j, out); err != nil || out.vanished {
		return err
	}
	out.flags, out.problem = catalog.Unreadable, cause.Error()
	return nil
}

// attributes adds what a name has besides its stat, by its name.
func (w *reader) attributes(ctx context.Context, j *job, out *result) error {
	err := w.addAttributes(ctx, j.dir, j.stat, out)
	if errors.Is(err, source.ErrVanished) {
		out.vanished = true
		return nil
	}
	return err
}

// fileAttributes adds the attributes of an open file.
func (w *reader) fileAttributes(ctx context.Context, f *source.File, out *result) error {
	xattrs, err := f.Xattrs()
	if err != nil {
		out.problem = err.Error()
	}
	return w.addValues(ctx, xattrs, out)
}

// addAttributes adds what a name has besides its stat. It fails with source.ErrVanished, or if the catalog does.
func (r *run) addAttributes(ctx context.Context, dir *source.Dir, s *source.Stat, out *result) error {
	target, xattrs, err := r.tree.Attributes(dir, s)
	switch {
	case errors.Is(err, source.ErrVanished):
		return err
	case err != nil && s.Kind == catalog.Symlink && target == "":
		return fmt.Errorf("%w: %w", source.ErrVanished, err) // a symlink without its target is nothing
	case err != nil:
		out.problem = err.Error()
	}
	out.target = target
	return r.addValues(ctx, xattrs, out)
}

func (r *run) addValues(ctx context.Context, xattrs []catalog.Xattr, out *result) (err error) {
	if out.xattrs, err = r.values.of(ctx, catalog.EncodeXattrs(xattrs)); err != nil {
		return err
	}
	out.owner, err = r.values.owner(ctx, out.stat.UID, out.stat.GID)
	return err
}

// known asks the catalog which chunks it has.
func (w *reader) known(ctx context.Context, chunks []found) error {
	if w.empty || len(chunks) == 0 {
		return nil
	}
	w.hashes, w.ids = w.hashes[:0], w.ids[:0]
	for i := range chunks {
		w.hashes, w.ids = append(w.hashes, chunks[i].hash), append(w.ids, 0)
	}
	if err := w.cat.KnownChunks(ctx, w.hashes, w.ids); err != nil {
		return fmt.Errorf("ask the catalog for %d chunks: %w", len(chunks), err)
	}
	for i := range chunks {
		chunks[i].known = w.ids[i]
	}
	return nil
}

// errPipeline wraps errors of the run in what is emitted, to tell them from those of the file.
var errPipeline = errors.New("the backup ends")

// stream reads a large file and passes on its data block by block.
func (w *reader) stream(ctx context.Context, p *parcel) error {
	pass := func() error {
		b := w.large
		w.large = nil
		if b == nil {
			return nil
		}
		if err := w.known(ctx, b.chunks); err != nil {
			return fmt.Errorf("%w: %w", errPipeline, err)
		}
		select {
		case p.stream <- b:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", errPipeline, context.Cause(ctx))
		}
	}
	restart := false
	forget := func() {
		if w.large != nil {
			w.bufs.giveBlock(w.large.data)
		}
		w.large, restart = nil, true
	}
	err := w.file(ctx, &p.jobs[0], &p.results[0], forget, func(off int64, plain []byte, hash catalog.Hash) error {
		if b := w.large; b != nil && len(b.data)+len(plain) > pack.SegmentSize {
			if err := pass(); err != nil {
				return err
			}
		}
		if w.large == nil {
			w.large = &block{data: w.bufs.takeBlock(), restart: restart}
			restart = false
		}
		w.large.add(off, plain, hash)
		return nil
	})
	if err == nil && restart {
		w.large = &block{restart: true}
	}
	if err == nil {
		err = pass()
	}
	if err == nil {
		close(p.ready)
	}
	return err
}
