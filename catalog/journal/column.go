package journal

import (
	"encoding/binary"

	"github.com/bus3/bus3/catalog"
)

// deltas is a column of integers that are near the one before. Differences wrap around, so that every int64 survives.
type deltas struct {
	column []byte
	last   int64
}

func (d *deltas) add(v int64) {
	d.column = binary.AppendVarint(d.column, v-d.last)
	d.last = v
}

// references is a column of IDs near the one before, with 0 for none in between.
type references struct {
	column []byte
	last   catalog.ID
}

func (r *references) add(id catalog.ID) {
	if id == 0 {
		r.column = append(r.column, 0)
		return
	}
	d := int64(id - r.last)
	r.column = binary.AppendUvarint(r.column, uint64(d<<1)^uint64(d>>63)+1)
	r.last = id
}

// base is what the first ID of a column is told as the difference to.
func base(scan int64) int64 { return int64(catalog.After(scan - 1)) }

// decoder takes columns apart. The first fault sticks, and from then on everything is zero.
type decoder struct {
	scan int64
	bad  string
}

func (d *decoder) fail(column string) {
	if d.bad == "" {
		d.bad = column
	}
}

// reader is a column that is read.
type reader struct {
	d    *decoder
	name string
	rest []byte
	last int64
}

// column begins to read a column. last is what its first difference is to.
func (d *decoder) column(name string, data []byte, last int64) *reader {
	return &reader{d: d, name: name, rest: data, last: last}
}

func (r *reader) unsigned() uint64 {
	n, used := binary.Uvarint(r.rest)
	if used <= 0 {
		r.d.fail(r.name)
		return 0
	}
	r.rest = r.rest[used:]
	return n
}

func (r *reader) unsigned32() uint32 {
	n := r.unsigned()
	if n > 1<<32-1 {
		r.d.fail(r.name)
		return 0
	}
	return uint32(n)
}

func (r *reader) signed() int64 {
	n := r.unsigned()
	return int64(n>>1) ^ -int64(n&1)
}

// delta is the next of a column that deltas made.
func (r *reader) delta() int64 {
	r.last += r.signed()
	return r.last
}

func (r *reader) id() catalog.ID { return catalog.ID(r.delta()) }

// reference is the next of a column that references made.
func (r *reader) reference() catalog.ID {
	n := r.unsigned()
	if n == 0 {
		return 0
	}
	n--
	r.last += int64(n>>1) ^ -int64(n&1)
	return catalog.ID(r.last)
}

// bytes is the next n bytes. They alias the column.
func (r *reader) bytes(n uint64) []byte {
	if n > uint64(len(r.rest)) {
		r.d.fail(r.name)
		return nil
	}
	b := r.rest[:n:n]
	r.rest = r.rest[n:]
	return b
}

// count is the number of rows, n, if that many are allowed and columns of at least one byte for each row have them,
// else 0.
func (d *decoder) count(name string, n uint64, columns ...[]byte) int {
	if n > MaxRows {
		d.fail(name)
		return 0
	}
	for _, c := range columns {
		if n > uint64(len(c)) {
			d.fail(name)
			return 0
		}
	}
	return int(n)
}

// rows makes n rows by calling one for each, and sees to it that nothing is left in the columns.
func rows[T any](d *decoder, n int, one func(*T), columns ...*reader) []T {
	if n == 0 || d.bad != "" {
		finish(d, columns)
		return nil
	}
	out := make([]T, n)
	for i := range out {
		if one(&out[i]); d.bad != "" {
			return nil
		}
	}
	finish(d, columns)
	return out
}

func finish(d *decoder, columns []*reader) {
	for _, c := range columns {
		if len(c.rest) != 0 {
			d.fail(c.name)
		}
	}
}

// chunkLengths says how long the chunks are that came with this batch: with it, the sizes of files and the offsets of
// pieces are as expected, mostly.
func chunkLengths(chunks []catalog.Chunk) map[catalog.ID]uint32 {
	lengths := make(map[catalog.ID]uint32, len(chunks))
	for i := range chunks {
		lengths[chunks[i].ID] = chunks[i].Length
	}
	return lengths
}
