package journal

import "github.com/bus3/bus3/catalog"

func (c *entryColumns) rows(d *decoder, lengths map[catalog.ID]uint32) []catalog.Entry {
	n := d.count("entries", c.N, c.ID, c.Class, c.Dir, c.Shared, c.Rest, c.Ino, c.Size, c.Mtime, c.MtimeNs, c.Touched,
		c.SourceIno, c.Xattrs, c.Chunk, c.Content)
	r := newEntryReader(d, c)
	r.lengths = lengths
	return rows(d, n, r.next, r.all...)
}

// entryReader takes the columns of entries apart, row by row.
type entryReader struct {
	d       *decoder
	lengths map[catalog.ID]uint32
	classes []class
	name    string // of the entry before
	buf     []byte
	all     []*reader

	id, class, dir, shared, rest, names, ino, size, mtime, mtimeNs *reader
	touched, ctime, sourceIno, target, targets                     *reader
	xattrs, chunk, content                                         *reader
}

func newEntryReader(d *decoder, c *entryColumns) *entryReader {
	r := &entryReader{d: d}
	column := func(name string, data []byte, last int64) *reader {
		col := d.column(name, data, last)
		r.all = append(r.all, col)
		return col
	}
	first := base(d.scan)
	r.id, r.class = column("entries", c.ID, first), column("classes of entries", c.Class, 0)
	r.dir = column("directories of entries", c.Dir, first)
	r.shared, r.rest = column("beginnings of names", c.Shared, 0), column("lengths of names", c.Rest, 0)
	r.names = column("names", c.Names, 0)
	r.ino, r.size = column("identities", c.Ino, 0), column("sizes of entries", c.Size, 0)
	r.mtime, r.mtimeNs = column("mtimes", c.Mtime, 0), column("nanoseconds of mtimes", c.MtimeNs, 0)
	r.touched, r.ctime = column("unlike ctimes", c.Touched, 0), column("ctimes", c.Ctime, 0)
	r.sourceIno = column("inode numbers", c.SourceIno, 0)
	r.target, r.targets = column("lengths of targets", c.Target, 0), column("targets", c.Targets, 0)
	r.xattrs, r.chunk = column("attributes of entries", c.Xattrs, first), column("chunks of entries", c.Chunk, first)
	r.content = column("contents of entries", c.Content, first)

	table := column("classes", c.Classes, 0)
	for len(table.rest) > 0 && d.bad == "" {
		r.classes = append(r.classes, readClass(table))
	}
	return r
}

func (r *entryReader) next(e *catalog.Entry) {
	r.setClass(e)
	e.ID, e.Dir, e.Last = r.id.id(), r.dir.id(), catalog.Open
	e.Name = r.nextName()
	e.Ino = e.ID + catalog.ID(r.ino.signed())
	e.Mtime = r.mtime.delta()*second + int64(r.mtimeNs.unsigned32())
	e.Ctime = e.Mtime
	if r.touched.unsigned() != 0 {
		e.Ctime = r.ctime.delta()
	}
	e.SourceIno = uint64(r.sourceIno.delta())
	if e.Kind == catalog.Symlink {
		e.Target = string(r.targets.bytes(r.target.unsigned()))
	}
	e.Xattrs, e.Chunk, e.Content = r.xattrs.reference(), r.chunk.reference(), r.content.reference()
	e.Size = expectedSize(e, r.lengths) + r.size.signed()
}

func (r *entryReader) setClass(e *catalog.Entry) {
	n := r.class.unsigned()
	if n >= uint64(len(r.classes)) {
		r.d.fail(r.class.name)
		return
	}
	c := &r.classes[n]
	e.Source, e.Kind, e.Flags, e.Mode, e.UID, e.GID = c.Source, c.Kind, c.Flags, c.Mode, c.UID, c.GID
	e.Owner, e.Nlink, e.Dev, e.Rdev = c.Owner, c.Nlink, c.Dev, c.Rdev
}

func (r *entryReader) nextName() string {
	shared, rest := r.shared.unsigned(), r.rest.unsigned()
	if shared > uint64(len(r.name)) || rest > catalog.MaxName-shared {
		r.d.fail(r.rest.name)
		return ""
	}
	r.buf = append(append(r.buf[:0], r.name[:shared]...), r.names.bytes(rest)...)
	r.name = string(r.buf)
	return r.name
}
