package journal

import (
	"encoding/binary"

	"github.com/bus3/bus3/catalog"
)

type valueColumns struct {
	N      uint64 `cbor:"1,keyasint"`
	ID     []byte `cbor:"2,keyasint"`
	Length []byte `cbor:"3,keyasint"`
	Bytes  []byte `cbor:"4,keyasint"`
}

func fromValues(b *catalog.Batch) (c valueColumns) {
	c.N = uint64(len(b.Values))
	id := deltas{last: base(b.Scan)}
	for i := range b.Values {
		v := &b.Values[i]
		id.add(int64(v.ID))
		c.Length = binary.AppendUvarint(c.Length, uint64(len(v.Bytes)))
		c.Bytes = append(c.Bytes, v.Bytes...)
	}
	c.ID = id.column
	return c
}

func (c *valueColumns) rows(d *decoder) []catalog.Value {
	id, length, data := d.column("values", c.ID, base(d.scan)), d.column("lengths of values", c.Length, 0), d.column("values", c.Bytes, 0)
	return rows(d, d.count("values", c.N, c.ID, c.Length, c.Bytes), func(v *catalog.Value) {
		v.ID = id.id()
		v.Bytes = data.bytes(length.unsigned())
		v.Hash = catalog.HashValue(v.Bytes)
	}, id, length, data)
}

type closedColumns struct {
	N    uint64 `cbor:"1,keyasint"`
	ID   []byte `cbor:"2,keyasint"`
	Last []byte `cbor:"3,keyasint"` // less that of the entry before, at first the scan's number
}

func fromClosed(b *catalog.Batch) (c closedColumns) {
	c.N = uint64(len(b.Closed))
	id, last := deltas{last: base(b.Scan)}, deltas{last: b.Scan}
	for i := range b.Closed {
		id.add(int64(b.Closed[i].ID))
		last.add(b.Closed[i].Last)
	}
	c.ID, c.Last = id.column, last.column
	return c
}

func (c *closedColumns) rows(d *decoder) []catalog.Closed {
	id, last := d.column("closed entries", c.ID, base(d.scan)), d.column("ends of entries", c.Last, d.scan)
	return rows(d, d.count("closed entries", c.N, c.ID, c.Last), func(e *catalog.Closed) {
		e.ID, e.Last = id.id(), last.delta()
	}, id, last)
}

type problemColumns struct {
	N        uint64 `cbor:"1,keyasint"`
	Path     []byte `cbor:"2,keyasint"` // lengths
	Paths    []byte `cbor:"3,keyasint"`
	Message  []byte `cbor:"4,keyasint"` // lengths
	Messages []byte `cbor:"5,keyasint"`
}

func fromProblems(b *catalog.Batch) (c problemColumns) {
	c.N = uint64(len(b.Problems))
	for i := range b.Problems {
		p := &b.Problems[i]
		c.Path = binary.AppendUvarint(c.Path, uint64(len(p.Path)))
		c.Paths = append(c.Paths, p.Path...)
		c.Message = binary.AppendUvarint(c.Message, uint64(len(p.Message)))
		c.Messages = append(c.Messages, p.Message...)
	}
	return c
}

func (c *problemColumns) rows(d *decoder) []catalog.Problem {
	path, paths := d.column("paths of problems", c.Path, 0), d.column("paths of problems", c.Paths, 0)
	message, messages := d.column("messages", c.Message, 0), d.column("messages", c.Messages, 0)
	return rows(d, d.count("problems", c.N, c.Path, c.Message), func(p *catalog.Problem) {
		p.Path = string(paths.bytes(path.unsigned()))
		p.Message = string(messages.bytes(message.unsigned()))
	}, path, paths, message, messages)
}

// wireBegin is a catalog.Begin. Host, root and the like are bytes: nothing promises that they are UTF-8.
type wireBegin struct {
	Source      int64    `cbor:"1,keyasint"`
	Host        []byte   `cbor:"2,keyasint"`
	Root        []byte   `cbor:"3,keyasint"`
	Started     int64    `cbor:"4,keyasint"`
	Tags        [][]byte `cbor:"5,keyasint,omitempty"`
	Program     []byte   `cbor:"6,keyasint"`
	After       int64    `cbor:"7,keyasint"`
	AfterParts  int64    `cbor:"8,keyasint"`
	AfterDigest []byte   `cbor:"9,keyasint,omitempty"` // absent if zero
}

func fromBegin(b *catalog.Begin) *wireBegin {
	if b == nil {
		return nil
	}
	w := &wireBegin{
		Source: int64(b.Source.ID), Host: []byte(b.Source.Host), Root: []byte(b.Source.Root),
		Started: b.Started, Program: []byte(b.Program), After: b.After, AfterParts: b.AfterParts,
	}
	for _, t := range b.Tags {
		w.Tags = append(w.Tags, []byte(t))
	}
	if !b.AfterDigest.IsZero() {
		w.AfterDigest = b.AfterDigest[:]
	}
	return w
}

func (w *wireBegin) begin(d *decoder) *catalog.Begin {
	if w == nil {
		return nil
	}
	b := &catalog.Begin{
		Source:  catalog.Source{ID: catalog.ID(w.Source), Host: string(w.Host), Root: string(w.Root)},
		Started: w.Started, Program: string(w.Program), After: w.After, AfterParts: w.AfterParts,
	}
	for _, t := range w.Tags {
		b.Tags = append(b.Tags, string(t))
	}
	if n := len(w.AfterDigest); n != 0 && n != len(b.AfterDigest) {
		d.fail("the digest before")
	}
	copy(b.AfterDigest[:], w.AfterDigest)
	return b
}

// wireEnd is a catalog.End. Counts are those of catalog.Counts in their order.
type wireEnd struct {
	Finished int64   `cbor:"1,keyasint"`
	State    uint8   `cbor:"2,keyasint"`
	Counts   []int64 `cbor:"3,keyasint"`
}

// counts lists the fields of c in the order of the format.
func counts(c *catalog.Counts) []*int64 {
	return []*int64{
		&c.Files, &c.Dirs, &c.Others, &c.New, &c.Changed, &c.Unchanged, &c.Removed,
		&c.Bytes, &c.BytesRead, &c.BytesNew, &c.BytesStored, &c.Objects, &c.Problems, &c.EntriesOpened, &c.EntriesClosed,
	}
}

func fromEnd(e *catalog.End) *wireEnd {
	if e == nil {
		return nil
	}
	w := &wireEnd{Finished: e.Finished, State: uint8(e.State)}
	c := e.Counts
	for _, n := range counts(&c) {
		w.Counts = append(w.Counts, *n)
	}
	return w
}

func (w *wireEnd) end(d *decoder) *catalog.End {
	if w == nil {
		return nil
	}
	e := &catalog.End{Finished: w.Finished, State: catalog.State(w.State)}
	into := counts(&e.Counts)
	if len(w.Counts) != len(into) {
		d.fail("counts")
		return e
	}
	for i, n := range w.Counts {
		*into[i] = n
	}
	return e
}
