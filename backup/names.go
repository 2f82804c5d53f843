package backup

import (
	"context"

	"github.com/bus3/bus3/catalog"
)

// data is where the bytes of a file are: its chunks, or a content that was made of them already.
type data struct {
	chunks  []found
	content catalog.ID
}

// name makes the row of a name, and closes the one it takes the place of.
func (a *assembler) name(j *job, res *result, d data) {
	if j.made != nil {
		res = j.made
	}
	switch {
	case j.link != nil && !j.leads:
		a.follow(j)
		return
	case res.vanished:
		if j.closes != 0 {
			a.closeLater(j.closes)
		}
		return
	case res.again:
		stat := *j.stat
		j.stat = &stat
		a.readLater(*j)
		return
	}
	if res.problem != "" {
		a.problem(j.path(), res.problem)
	}
	e := a.entry(j, res)
	switch {
	case a.late.join(j, res, &e):
	case j.keep != nil:
		e.Chunk, e.Content = j.keep.Chunk, j.keep.Content
	case e.Kind == catalog.File && e.Flags&catalog.Unreadable == 0:
		a.setData(&e, d)
	}
	if j.leads {
		kept := e
		j.link.entry = &kept
	}
	a.late.note(j, res, &e)
	a.write(j, &e)
}

// setData lets an entry have its chunks: the only one itself, if it is at the beginning, or a content of them.
func (a *assembler) setData(e *catalog.Entry, d data) {
	switch {
	case d.content != 0:
		e.Content = d.content
	case len(d.chunks) == 0:
	case len(d.chunks) == 1 && d.chunks[0].file == 0:
		e.Chunk = d.chunks[0].known
	default:
		e.Content = a.id()
		a.pieces(e.Content, d.chunks)
	}
}

func (a *assembler) pieces(content catalog.ID, chunks []found) {
	for i := range chunks {
		a.rows.Pieces = append(a.rows.Pieces, catalog.Piece{Content: content, Offset: chunks[i].file, Chunk: chunks[i].known})
	}
}

// follow makes the row of a further name of a file. If the first one brought nothing, or the file is not what it was
// then, the name is read by itself.
func (a *assembler) follow(j *job) {
	first := j.link.entry
	if first == nil || first.Size != j.stat.Size || first.Mtime != j.stat.Mtime || first.Ctime != j.stat.Ctime {
		stat := *j.stat
		j.stat = &stat
		a.readLater(*j)
		return
	}
	e := *first
	e.Dir, e.Name = j.in, j.stat.Name
	a.write(j, &e)
}

// entry is the row of a name, without its data.
func (a *assembler) entry(j *job, res *result) catalog.Entry {
	s := &res.stat
	e := catalog.Entry{
		Source: a.source.ID, Dir: j.in, Name: j.stat.Name, Last: catalog.Open,
		Ino: j.ino, Kind: s.Kind, Flags: res.flags, Mode: s.Mode, UID: s.UID, GID: s.GID, Owner: a.valueID(res.owner),
		Size: s.Size, Mtime: s.Mtime, Ctime: s.Ctime, Nlink: s.Nlink,
		Dev: a.devices.name(s.Dev), SourceIno: s.Ino, Target: res.target, Xattrs: a.valueID(res.xattrs),
	}
	if e.Ino == 0 {
		e.Ino = a.id()
	}
	if e.Kind == catalog.CharDevice || e.Kind == catalog.BlockDevice {
		e.Rdev = s.Rdev
	}
	return e
}

// valueID is the ID of a value. It makes the row of a value that has none.
func (a *assembler) valueID(v *value) catalog.ID {
	if v == nil {
		return 0
	}
	if v.id == 0 {
		v.id = a.id()
		a.rows.Values = append(a.rows.Values, catalog.Value{ID: v.id, Hash: v.hash, Bytes: v.bytes})
	}
	return v.id
}

// write opens the row e in the place of that of the job, unless they are equal.
func (a *assembler) write(j *job, e *catalog.Entry) {
	a.progress.done(e.Kind, e.Size)
	e.Last = catalog.Open
	if j.old != nil {
		if e.ID = j.old.ID; *e == *j.old {
			a.progress.Unchanged.Add(1)
			return
		}
	}
	e.ID = a.id()
	a.rows.Opened = append(a.rows.Opened, *e)
	if j.closes == 0 {
		a.progress.New.Add(1)
		return
	}
	a.progress.Changed.Add(1)
	a.rows.Closed = append(a.rows.Closed, catalog.Closed{ID: j.closes, Last: a.scan - 1})
}

func (a *assembler) closeRows(ids []catalog.ID) {
	for _, id := range ids {
		a.rows.Closed = append(a.rows.Closed, catalog.Closed{ID: id, Last: a.scan - 1})
	}
}

// stream takes the data of a large file as they come. They make a content as soon as there is more than one chunk; what was
// read of a file that changed is left behind.
func (a *assembler) stream(p *parcel) error {
	var d data
	for {
		var b *block
		more := false
		select {
		case b, more = <-p.stream:
		case <-a.ctx.Done():
			return context.Cause(a.ctx)
		}
		if !more {
			break
		}
		if b.restart {
			d = data{}
		}
		if err := a.block(b); err != nil {
			return err
		}
		d.chunks = append(d.chunks, b.chunks...)
		if d.content == 0 && len(d.chunks) > 1 {
			d.content = a.id()
		}
		if d.content != 0 {
			a.pieces(d.content, d.chunks)
			d.chunks = d.chunks[:0]
		}
		if err := a.maybePass(); err != nil {
			return err
		}
	}
	select {
	case <-p.ready:
	case <-a.ctx.Done():
		return context.Cause(a.ctx)
	}
	<-a.streams // it is there: the bundler has put it there
	a.name(&p.jobs[0], &p.results[0], d)
	return a.maybePass()
}
