package relational

import (
	"github.com/bus3/bus3/catalog"
)

// The tables that batches fill, and how their rows are made. The order of columns is the schema's.
var (
	packs = Table{"pack", []Column{{"id", 8}, {"size", 8}, {"key", 0}}}

	segments = Table{"segment", []Column{{"id", 8}, {"pack", 8}, {"number", 8}, {"start", 8}, {"stored", 8}, {"length", 8}}}

	chunks = Table{"chunk", []Column{{"id", 8}, {"segment", 8}, {"start", 8}, {"length", 8}, {"hash", 0}}}

	pieces = Table{"piece", []Column{{"content", 8}, {"start", 8}, {"chunk", 8}}}

	values = Table{"value", []Column{{"id", 8}, {"hash", 0}, {"bytes", 0}}}

	problems = Table{"problem", []Column{{"scan", 8}, {"part", 8}, {"number", 8}, {"path", 0}, {"message", 0}}}

	entries = Table{"entry", []Column{
		{"id", 8},
		{"source", 8},
		{"dir", 8},
		{"ino", 8},
		{"size", 8},
		{"mtime", 8},
		{"ctime", 8},
		{"dev", 8},
		{"source_ino", 8},
		{"last", 8},
		{"data", 8},
		{"owner", 8},
		{"xattrs", 8},
		{"rdev", 8},
		{"uid", 4},
		{"gid", 4},
		{"nlink", 4},
		{"kind", 2},
		{"mode", 2},
		{"flags", 2},
		{"name", 0},
		{"target", 0},
	}}
)

func packRow(p *catalog.Pack, v Values) {
	v.Int(int64(p.ID))
	v.Int(p.Size)
	v.Bytes(p.Key[:])
}

func segmentRow(s *catalog.Segment, v Values) {
	v.Int(int64(s.ID))
	v.Int(int64(s.Pack))
	v.Int(int64(s.Number))
	v.Int(s.Offset)
	v.Int(int64(s.Stored))
	v.Int(int64(s.Length))
}

func chunkRow(c *catalog.Chunk, v Values) {
	v.Int(int64(c.ID))
	v.Int(int64(c.Segment))
	v.Int(int64(c.Offset))
	v.Int(int64(c.Length))
	v.Bytes(c.Hash[:])
}

func pieceRow(p *catalog.Piece, v Values) {
	v.Int(int64(p.Content))
	v.Int(p.Offset)
	v.Int(int64(p.Chunk))
}

func valueRow(x *catalog.Value, v Values) {
	v.Int(int64(x.ID))
	v.Bytes(x.Hash[:])
	v.Bytes(x.Bytes)
}

func problemRow(scan, part, number int64, p *catalog.Problem, v Values) {
	v.Int(scan)
	v.Int(part)
	v.Int(number)
	v.String(p.Path)
	v.String(p.Message)
}

func entryRow(e *catalog.Entry, v Values) {
	dir, data := e.Dir, e.Chunk
	if e.IsRoot() {
		dir = -e.Source
	}
	if e.Content != 0 {
		data = -e.Content
	}
	v.Int(int64(e.ID))
	v.Int(int64(e.Source))
	v.Int(int64(dir))
	v.Int(int64(e.Ino))
	v.Int(e.Size)
	v.Int(e.Mtime)
	v.Int(e.Ctime)
	v.Int(int64(e.Dev))
	v.Int(int64(e.SourceIno))
	v.Optional(0) // open
	v.Optional(int64(data))
	v.Optional(int64(e.Owner))
	v.Optional(int64(e.Xattrs))
	v.Optional(int64(e.Rdev))
	v.Int(int64(int32(e.UID)))
	v.Int(int64(int32(e.GID)))
	v.Int(int64(int32(e.Nlink)))
	v.Int(int64(e.Kind))
	v.Int(int64(e.Mode))
	v.Optional(int64(e.Flags))
	v.String(e.Name)
	v.OptionalString(e.Target)
}

// entryColumns is the list of a SELECT whose rows readEntry reads, entryShape its shape.
const (
	entryColumns = `id, source, dir, ino, size, mtime, ctime, dev, source_ino, COALESCE(last, 9223372036854775807) AS last_scan, ` +
		`data, owner, xattrs, rdev, uid, gid, nlink, kind, mode, flags, name, target`
	entryShape = "iiiiiiiiiiiiiiiiiiiibb"
)

// readEntry fills e from the columns of r that begin with column at, and checks it.
func readEntry(e *catalog.Entry, r *Row, at int) error {
	c := r.cells[at:]
	kind, flags, mode := c[17], c[19], c[18]
	if kind&^0xff != 0 || flags&^0xff != 0 || mode&^0o7777 != 0 {
		return catalog.Invalidf("entry %s has kind %d, mode %o, flags %d", catalog.ID(c[0]), kind, mode, flags)
	}
	*e = catalog.Entry{
		ID:        catalog.ID(c[0]),
		Source:    catalog.ID(c[1]),
		Dir:       catalog.ID(c[2]),
		Ino:       catalog.ID(c[3]),
		Size:      c[4],
		Mtime:     c[5],
		Ctime:     c[6],
		Dev:       uint64(c[7]),
		SourceIno: uint64(c[8]),
		Last:      c[9],
		Owner:     catalog.ID(c[11]),
		Xattrs:    catalog.ID(c[12]),
		Rdev:      uint64(c[13]),
		UID:       uint32(c[14]),
		GID:       uint32(c[15]),
		Nlink:     uint32(c[16]),
		Kind:      catalog.Kind(kind),
		Mode:      uint32(mode),
		Flags:     catalog.Flag(flags),
		Name:      string(r.Bytes(at + 20)),
		Target:    string(r.Bytes(at + 21)),
	}
	if e.Dir == -e.Source {
		e.Dir = 0
	}
	if data := catalog.ID(c[10]); data >= 0 {
		e.Chunk = data
	} else {
		e.Content = -data
	}
	return e.Check()
}
