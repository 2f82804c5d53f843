package journal

import (
	"encoding/binary"

	"github.com/bus3/bus3/catalog"
)

func fromEntries(b *catalog.Batch, lengths map[catalog.ID]uint32) (c entryColumns) {
	w := newEntryWriter(b, lengths)
	for i := range b.Opened {
		w.add(&b.Opened[i])
	}
	return w.finish(len(b.Opened))
}

// entryWriter makes the columns of entries, row by row.
type entryWriter struct {
	c       entryColumns
	lengths map[catalog.ID]uint32
	classes map[class]uint64
	name    string // of the entry before

	id, dir, mtime, ctime, ino deltas
	xattrs, chunk, content     references
}

func newEntryWriter(b *catalog.Batch, lengths map[catalog.ID]uint32) *entryWriter {
	first := base(b.Scan)
	return &entryWriter{
		lengths: lengths,
		classes: make(map[class]uint64),
		id:      deltas{last: first}, dir: deltas{last: first},
		xattrs: references{last: catalog.ID(first)}, chunk: references{last: catalog.ID(first)}, content: references{last: catalog.ID(first)},
	}
}

func (w *entryWriter) add(e *catalog.Entry) {
	c := &w.c
	w.id.add(int64(e.ID))
	w.dir.add(int64(e.Dir))
	c.Class = binary.AppendUvarint(c.Class, w.class(classOf(e)))

	shared := sharedPrefix(w.name, e.Name)
	c.Shared = binary.AppendUvarint(c.Shared, uint64(shared))
	c.Rest = binary.AppendUvarint(c.Rest, uint64(len(e.Name)-shared))
	c.Names = append(c.Names, e.Name[shared:]...)
	w.name = e.Name

	c.Ino = binary.AppendVarint(c.Ino, int64(e.Ino-e.ID))
	c.Size = binary.AppendVarint(c.Size, e.Size-expectedSize(e, w.lengths))
	s, ns := splitTime(e.Mtime)
	w.mtime.add(s)
	c.MtimeNs = binary.AppendUvarint(c.MtimeNs, uint64(ns))
	w.addCtime(e)
	w.ino.add(int64(e.SourceIno))
	if e.Kind == catalog.Symlink {
		c.Target = binary.AppendUvarint(c.Target, uint64(len(e.Target)))
		c.Targets = append(c.Targets, e.Target...)
	}
	w.xattrs.add(e.Xattrs)
	w.chunk.add(e.Chunk)
	w.content.add(e.Content)
}

func (w *entryWriter) addCtime(e *catalog.Entry) {
	if e.Ctime == e.Mtime {
		w.c.Touched = append(w.c.Touched, 0)
		return
	}
	w.c.Touched = append(w.c.Touched, 1)
	w.ctime.add(e.Ctime)
}

func (w *entryWriter) class(c class) uint64 {
	n, ok := w.classes[c]
	if !ok {
		n = uint64(len(w.classes))
		w.classes[c] = n
		w.c.Classes = c.appendTo(w.c.Classes)
	}
	return n
}

func (w *entryWriter) finish(n int) entryColumns {
	c := w.c
	c.N = uint64(n)
	c.ID, c.Dir, c.SourceIno = w.id.column, w.dir.column, w.ino.column
	c.Mtime, c.Ctime = w.mtime.column, w.ctime.column
	c.Xattrs, c.Chunk, c.Content = w.xattrs.column, w.chunk.column, w.content.column
	return c
}
