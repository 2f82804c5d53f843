package journal

import (
	"encoding/binary"

	"github.com/bus3/bus3/catalog"
)

// class is what many entries have in common. The table of classes stands once; entries name them by position.
type class struct {
	Source   catalog.ID
	Kind     catalog.Kind
	Flags    catalog.Flag
	Mode     uint32
	UID, GID uint32
	Owner    catalog.ID
	Nlink    uint32
	Dev      uint64
	Rdev     uint64
}

func classOf(e *catalog.Entry) class {
	return class{e.Source, e.Kind, e.Flags, e.Mode, e.UID, e.GID, e.Owner, e.Nlink, e.Dev, e.Rdev}
}

// classFields is how many integers a class is in the table.
const classFields = 10

func (c *class) appendTo(table []byte) []byte {
	for _, n := range [classFields]uint64{
		uint64(c.Source), uint64(c.Kind), uint64(c.Flags), uint64(c.Mode), uint64(c.UID), uint64(c.GID),
		uint64(c.Owner), uint64(c.Nlink), c.Dev, c.Rdev,
	} {
		table = binary.AppendUvarint(table, n)
	}
	return table
}

func readClass(r *reader) (c class) {
	c.Source = catalog.ID(r.unsigned())
	kind, flags := r.unsigned32(), r.unsigned32()
	if kind > 255 || flags > 255 {
		r.d.fail(r.name)
	}
	c.Kind, c.Flags = catalog.Kind(kind), catalog.Flag(flags)
	c.Mode, c.UID, c.GID = r.unsigned32(), r.unsigned32(), r.unsigned32()
	c.Owner = catalog.ID(r.unsigned())
	c.Nlink = r.unsigned32()
	c.Dev, c.Rdev = r.unsigned(), r.unsigned()
	return c
}

type entryColumns struct {
	N         uint64 `cbor:"1,keyasint"`
	ID        []byte `cbor:"2,keyasint"`
	Class     []byte `cbor:"3,keyasint"` // position in Classes
	Classes   []byte `cbor:"4,keyasint"` // in the order in which they are met first
	Dir       []byte `cbor:"5,keyasint"`
	Shared    []byte `cbor:"6,keyasint"`  // bytes that the name begins with in common with the one before
	Rest      []byte `cbor:"7,keyasint"`  // bytes of the name after those
	Names     []byte `cbor:"8,keyasint"`  // these bytes
	Ino       []byte `cbor:"9,keyasint"`  // less the ID
	Size      []byte `cbor:"10,keyasint"` // less what the target or the chunk lets expect
	Mtime     []byte `cbor:"11,keyasint"` // seconds
	MtimeNs   []byte `cbor:"12,keyasint"` // ns after them
	Touched   []byte `cbor:"13,keyasint"` // 1 if ctime differs from mtime, else 0
	Ctime     []byte `cbor:"14,keyasint"` // of those: ns
	SourceIno []byte `cbor:"15,keyasint"`
	Target    []byte `cbor:"16,keyasint"` // of symlinks: bytes of the target
	Targets   []byte `cbor:"17,keyasint"` // these bytes
	Xattrs    []byte `cbor:"18,keyasint"`
	Chunk     []byte `cbor:"19,keyasint"`
	Content   []byte `cbor:"20,keyasint"`
}

// expectedSize is what the size of an entry is, most of the time, given what else is known of it.
func expectedSize(e *catalog.Entry, lengths map[catalog.ID]uint32) int64 {
	if e.Kind == catalog.Symlink {
		return int64(len(e.Target))
	}
	return int64(lengths[e.Chunk])
}

const second = 1e9

// splitTime parts a time into seconds and 0 to 999,999,999 ns.
func splitTime(t int64) (s, ns int64) {
	s, ns = t/second, t%second
	if ns < 0 {
		s, ns = s-1, ns+second
	}
	return s, ns
}

func sharedPrefix(a, b string) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
