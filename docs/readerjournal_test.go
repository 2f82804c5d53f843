package docs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
)

const (
	kindFile      = 1
	kindDirectory = 2
	kindSymlink   = 3
	stateComplete = 3
)

type (
	pack    struct{ name []byte }
	segment struct {
		pack, offset                   int64
		number, sealedSize, plaintexts uint64
	}
	chunk struct {
		hash            [32]byte
		segment, offset int64
		length          uint64
	}
	piece struct{ offset, chunk int64 }
	scan  struct {
		source            int64
		host, root        string
		after, afterParts int64
		state             uint64 // 0: it has no end
		parts             int64
		digest            [32]byte
		fenced            bool
	}
	entry struct {
		id, source, last, dir, ino        int64
		name, target                      string
		kind, flags, uid, gid, nlink      uint64
		mode                              uint32
		dev, rdev, sourceIno              uint64
		size, mtime, ctime                int64
		owner, attributes, chunk, content int64
	}
)

// history is all that the journal tells.
type history struct {
	scans    map[int64]*scan
	packs    map[int64]pack
	segments map[int64]segment
	chunks   map[int64]chunk
	pieces   map[int64][]piece
	values   map[int64][]byte
	entries  map[int64]*entry
}

func newHistory() *history {
	return &history{
		map[int64]*scan{}, map[int64]pack{}, map[int64]segment{}, map[int64]chunk{}, map[int64][]piece{}, map[int64][]byte{}, map[int64]*entry{},
	}
}

func (h *history) scanNumbers() []int64 { return slices.Sorted(maps.Keys(h.scans)) }

// readJournal replays all parts, in order.
func (r *reader) readJournal() {
	r.t.Helper()
	numbers, err := os.ReadDir(filepath.Join(r.store, "journal"))
	check(r.t, err)
	for _, d := range numbers {
		number, err := strconv.ParseInt(d.Name(), 10, 64)
		check(r.t, err)
		parts, err := os.ReadDir(filepath.Join(r.store, "journal", d.Name()))
		check(r.t, err)
		for part, p := range parts {
			if p.Name() != fmt.Sprintf("%08d", part) {
				r.t.Fatalf("part %d of scan %d is missing", part, number)
			}
			r.readPart(number, int64(part), r.object("journal/"+d.Name()+"/"+p.Name()))
		}
	}
}

func (r *reader) readPart(number, part int64, object []byte) {
	r.t.Helper()
	r.after("bus3jrn\x01", object)
	extra := binary.BigEndian.AppendUint64(bytes.Clone(object[:56]), uint64(number))
	extra = binary.BigEndian.AppendUint64(extra, uint64(part))
	id := sha256.Sum256(append([]byte("bus3 journal part"), extra...))
	batch := r.fields(r.after("\x01", r.inflate(r.open(3, id[:16], 0, object[56:], extra))))
	if field[int64](r, batch, 1) != number || field[int64](r, batch, 2) != part {
		r.t.Fatalf("the object of part %d of scan %d holds another part", part, number)
	}
	before := [32]byte(object[24:56])
	if part == 0 {
		r.begin(number, r.fields(batch[3]), before)
	} else if s := r.scans[number]; s.digest != before {
		r.t.Fatalf("part %d of scan %d follows another object than the one before", part, number)
	}
	s := r.scans[number]
	s.digest, s.parts = sha256.Sum256(object), part+1
	s.fenced = part > 0 && batch[4] == nil
	for kind := uint64(10); kind <= 17; kind++ {
		s.fenced = s.fenced && r.columns(number, batch, kind).rows == 0
	}
	if end, ok := batch[4]; ok {
		e := r.fields(end)
		if counts := field[[]int64](r, e, 3); len(counts) != 15 {
			r.t.Errorf("scan %d ends with %d counts", number, len(counts))
		}
		s.state = field[uint64](r, e, 2)
	}
	r.rows(number, batch)
}

func (r *reader) begin(number int64, b fields, before [32]byte) {
	r.t.Helper()
	s := &scan{
		source: field[int64](r, b, 1), host: string(field[[]byte](r, b, 2)), root: string(field[[]byte](r, b, 3)),
		after: field[int64](r, b, 7), afterParts: field[int64](r, b, 8),
	}
	if s.after >= 0 {
		last := r.scans[s.after]
		if last == nil || last.source != s.source || last.parts != s.afterParts || last.digest != before || !bytes.Equal(field[[]byte](r, b, 9), before[:]) {
			r.t.Fatalf("scan %d does not follow scan %d", number, s.after)
		}
	} else if before != [32]byte{} {
		r.t.Fatalf("scan %d follows no other, but has a digest before", number)
	}
	r.scans[number] = s
}

// column is a column that is read.
type column struct {
	t    *testing.T
	rest []byte
	last int64
}

func (c *column) uvarint() uint64 {
	c.t.Helper()
	n, used := binary.Uvarint(c.rest)
	if used <= 0 {
		c.t.Fatal("a column is too short")
	}
	c.rest = c.rest[used:]
	return n
}

func zigzag(n uint64) int64 { return int64(n>>1) ^ -int64(n&1) }

func (c *column) varint() int64 { c.t.Helper(); return zigzag(c.uvarint()) }

// near is the next value of a column of differences, D or I.
func (c *column) near() int64 {
	c.t.Helper()
	c.last += c.varint()
	return c.last
}

// reference is the next value of an R column.
func (c *column) reference() int64 {
	c.t.Helper()
	n := c.uvarint()
	if n == 0 {
		return 0
	}
	c.last += zigzag(n - 1)
	return c.last
}

func (c *column) bytes(n uint64) []byte {
	c.t.Helper()
	if n > uint64(len(c.rest)) {
		c.t.Fatal("a column is too short")
	}
	b := c.rest[:n]
	c.rest = c.rest[n:]
	return b
}

// columns are those of one kind of rows.
type columns struct {
	r     *reader
	scan  int64
	rows  int
	all   fields
	taken []*column
}

func (r *reader) columns(scan int64, batch fields, key uint64) *columns {
	r.t.Helper()
	c := &columns{r: r, scan: scan}
	if data, ok := batch[key]; ok {
		c.all = r.fields(data)
		c.rows = field[int](r, c.all, 1)
	}
	return c
}

// plain is a column whose differences begin at 0, ids one whose differences begin at scan × 2^36.
func (c *columns) plain(key uint64) *column {
	col := &column{t: c.r.t, rest: field[[]byte](c.r, c.all, key)}
	c.taken = append(c.taken, col)
	return col
}

func (c *columns) ids(key uint64) *column {
	col := c.plain(key)
	col.last = c.scan << 36
	return col
}

// each calls one for each row, and sees to it that the columns are read to their ends and that none is left out.
func (c *columns) each(one func()) {
	c.r.t.Helper()
	for range c.rows {
		one()
	}
	for i, col := range c.taken {
		if len(col.rest) != 0 {
			c.r.t.Fatalf("%d bytes are left in column number %d", len(col.rest), i)
		}
	}
	if c.rows > 0 && len(c.all) != len(c.taken)+1 {
		c.r.t.Fatalf("there are %d columns, and %d are described", len(c.all)-1, len(c.taken))
	}
}
