package docs

// rows reads the rows of a batch.
func (r *reader) rows(number int64, batch fields) {
	r.t.Helper()
	r.packRows(r.columns(number, batch, 10))
	r.segmentRows(r.columns(number, batch, 11))
	here := r.chunkRows(r.columns(number, batch, 12))
	r.pieceRows(r.columns(number, batch, 13), here)
	c := r.columns(number, batch, 14)
	id, length, data := c.ids(2), c.plain(3), c.plain(4)
	c.each(func() { r.values[id.near()] = data.bytes(length.uvarint()) })
	r.entryRows(r.columns(number, batch, 15), here)
	c = r.columns(number, batch, 16)
	id, last := c.ids(2), c.plain(3)
	last.last = number
	c.each(func() { r.end(id.near(), last.near()) })
	c = r.columns(number, batch, 17)
	pathLength, path, messageLength, message := c.plain(2), c.plain(3), c.plain(4), c.plain(5)
	c.each(func() {
		r.t.Logf("%s: %s", path.bytes(pathLength.uvarint()), message.bytes(messageLength.uvarint()))
	})
}

func (r *reader) end(id, last int64) {
	e := r.entries[id]
	switch {
	case e == nil:
	case last < id>>36:
		delete(r.entries, id)
	case e.last < 0:
		e.last = last
	}
}

func (r *reader) packRows(c *columns) {
	id, name, size := c.ids(2), c.plain(3), c.plain(4)
	c.each(func() {
		p := pack{name: name.bytes(16)}
		r.packs[id.near()] = p
		if n := int64(len(r.object(p.key()))); n != size.varint() {
			r.t.Errorf("pack %x has %d bytes", p.name, n)
		}
	})
}

func (r *reader) segmentRows(c *columns) {
	id, pack, number, offset, sealed, plain := c.ids(2), c.ids(3), c.plain(4), c.plain(5), c.plain(6), c.plain(7)
	var before segment
	c.each(func() {
		s := segment{pack: pack.near(), number: uint64(number.near())}
		if s.offset = offset.varint(); s.pack == before.pack {
			s.offset += before.offset + int64(before.sealedSize)
		}
		s.sealedSize, s.plaintexts = sealed.uvarint(), plain.uvarint()
		r.segments[id.near()] = s
		before = s
	})
}

// chunkRows returns the sizes of the chunks in the batch.
func (r *reader) chunkRows(c *columns) map[int64]int64 {
	id, hash, seg, offset, size := c.ids(2), c.plain(3), c.ids(4), c.plain(5), c.plain(6)
	here := map[int64]int64{}
	var before chunk
	c.each(func() {
		k := chunk{hash: [32]byte(hash.bytes(32)), segment: seg.near()}
		if k.offset = offset.varint(); k.segment == before.segment {
			k.offset += before.offset + int64(before.length)
		}
		k.length = size.uvarint()
		r.chunks[id.near()] = k
		here[id.last] = int64(k.length)
		before = k
	})
	return here
}

func (r *reader) pieceRows(c *columns, here map[int64]int64) {
	content, offset, chunk := c.ids(2), c.plain(3), c.ids(4)
	var last int64 // the content of the row before
	var before piece
	c.each(func() {
		id := content.near()
		p := piece{offset: offset.varint(), chunk: chunk.near()}
		if id == last {
			p.offset += before.offset + here[before.chunk]
		}
		r.pieces[id] = append(r.pieces[id], p)
		last, before = id, p
	})
}

func (r *reader) entryRows(c *columns, here map[int64]int64) {
	id, class, classes, dir := c.ids(2), c.plain(3), c.plain(4), c.ids(5)
	shared, rest, names, ino, size := c.plain(6), c.plain(7), c.plain(8), c.plain(9), c.plain(10)
	mtime, ns, differs, ctime, sourceIno := c.plain(11), c.plain(12), c.plain(13), c.plain(14), c.plain(15)
	targetLength, targets, attributes, chunk, content := c.plain(16), c.plain(17), c.ids(18), c.ids(19), c.ids(20)
	var table [][10]uint64
	for len(classes.rest) > 0 {
		var row [10]uint64
		for i := range row {
			row[i] = classes.uvarint()
		}
		table = append(table, row)
	}
	name := ""
	c.each(func() {
		k := table[class.uvarint()]
		e := &entry{
			id: id.near(), last: -1, dir: dir.near(), source: int64(k[0]), kind: k[1], flags: k[2], mode: uint32(k[3]),
			uid: k[4], gid: k[5], owner: int64(k[6]), nlink: k[7], dev: k[8], rdev: k[9],
		}
		name = name[:shared.uvarint()] + string(names.bytes(rest.uvarint()))
		e.name, e.ino = name, e.id+ino.varint()
		e.mtime = mtime.near()*1_000_000_000 + int64(ns.uvarint())
		if e.ctime = e.mtime; differs.uvarint() == 1 {
			e.ctime = ctime.near()
		}
		e.sourceIno = uint64(sourceIno.near())
		if e.kind == kindSymlink {
			e.target = string(targets.bytes(targetLength.uvarint()))
		}
		e.attributes, e.chunk, e.content = attributes.reference(), chunk.reference(), content.reference()
		if e.size = size.varint() + here[e.chunk]; e.kind == kindSymlink {
			e.size += int64(len(e.target))
		}
		r.entries[e.id] = e
	})
}
