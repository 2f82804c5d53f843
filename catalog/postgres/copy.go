package postgres

import (
	"encoding/binary"
	"fmt"
	"io"
	"strings"

	"github.com/bus3/bus3/catalog/internal/relational"
)

// copyReader is n rows in the form of COPY … (FORMAT binary), made as they are read: see "Binary Format" in the
// documentation of COPY. It is a relational.Values, which takes one row after the other.
type copyReader struct {
	table *relational.Table
	n     int
	row   func(int, relational.Values)

	next   int // row to make
	ended  bool
	column int
	buf    []byte
	read   int // bytes of buf that were read
}

// copyHeader is the signature, no flags, and no extension.
const copyHeader = "PGCOPY\n\xff\r\n\x00" + "\x00\x00\x00\x00" + "\x00\x00\x00\x00"

// copyBytes is about how much is made at once.
const copyBytes = 64 << 10

func newCopyReader(table *relational.Table, n int, row func(int, relational.Values)) *copyReader {
	return &copyReader{table: table, n: n, row: row, buf: append(make([]byte, 0, copyBytes+4<<10), copyHeader...)}
}

func copyText(table *relational.Table) string {
	names := make([]string, len(table.Columns))
	for i, c := range table.Columns {
		names[i] = c.Name
	}
	return "COPY " + table.Name + " (" + strings.Join(names, ", ") + ") FROM STDIN (FORMAT binary)"
}

// Read implements io.Reader.
func (c *copyReader) Read(p []byte) (int, error) {
	if c.read == len(c.buf) {
		if c.ended {
			return 0, io.EOF
		}
		c.buf, c.read = c.buf[:0], 0
		if err := c.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, c.buf[c.read:])
	c.read += n
	return n, nil
}

func (c *copyReader) fill() error {
	for ; c.next < c.n && len(c.buf) < copyBytes; c.next++ {
		c.buf = binary.BigEndian.AppendUint16(c.buf, uint16(len(c.table.Columns)))
		c.column = 0
		c.row(c.next, c)
		if c.column != len(c.table.Columns) {
			return fmt.Errorf("%d values for the %d columns of %s", c.column, len(c.table.Columns), c.table.Name)
		}
	}
	if c.next == c.n {
		c.buf = append(c.buf, 0xff, 0xff)
		c.ended = true
	}
	return nil
}

// Int is the next column as a number.
func (c *copyReader) Int(v int64) {
	switch c.table.Columns[c.column].Width {
	case 2:
		c.buf = binary.BigEndian.AppendUint16(append(c.buf, 0, 0, 0, 2), uint16(v))
	case 4:
		c.buf = binary.BigEndian.AppendUint32(append(c.buf, 0, 0, 0, 4), uint32(v))
	default:
		c.buf = binary.BigEndian.AppendUint64(append(c.buf, 0, 0, 0, 8), uint64(v))
	}
	c.column++
}

// Optional is Int, with NULL for 0.
func (c *copyReader) Optional(v int64) {
	if v == 0 {
		c.null()
		return
	}
	c.Int(v)
}

func (c *copyReader) null() {
	c.buf = append(c.buf, 0xff, 0xff, 0xff, 0xff)
	c.column++
}

// Bytes is the next column as bytes.
func (c *copyReader) Bytes(v []byte) {
	c.buf = append(binary.BigEndian.AppendUint32(c.buf, uint32(len(v))), v...)
	c.column++
}

// String is Bytes of a string.
func (c *copyReader) String(v string) {
	c.buf = append(binary.BigEndian.AppendUint32(c.buf, uint32(len(v))), v...)
	c.column++
}

// OptionalString is String, with NULL for none.
func (c *copyReader) OptionalString(v string) {
	if v == "" {
		c.null()
		return
	}
	c.String(v)
}
