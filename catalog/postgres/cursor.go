package postgres

import (
	"context"
	"encoding/binary"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/internal/relational"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// binaryRows asks for rows in their binary form.
var binaryRows = pgx.QueryResultFormats{pgx.BinaryFormatCode}

// cursor is a running query.
type cursor struct {
	ctx    context.Context
	rows   pgx.Rows
	pooled *pgxpool.Conn // to release; nil within a transaction, when detached and when closed
	own    *pgx.Conn     // to close: the detached connection
	shape  string
	width  int // len(shape), or one more with the key's position first
}

// Next implements relational.Cursor.
func (c *cursor) Next(b *relational.Buffer) (bool, error) {
	if !c.rows.Next() {
		return false, explain(c.ctx, c.rows.Err())
	}
	row := c.rows.RawValues()
	if len(row) != c.width {
		return false, catalog.Invalidf("a row has %d columns, not %d", len(row), c.width)
	}
	shift := c.width - len(c.shape)
	for i, v := range row {
		if i >= shift && c.shape[i-shift] == 'b' {
			b.Bytes(v)
			continue
		}
		switch len(v) {
		case 0:
			b.Int(0) // NULL
		case 2:
			b.Int(int64(int16(binary.BigEndian.Uint16(v))))
		case 4:
			b.Int(int64(int32(binary.BigEndian.Uint32(v))))
		case 8:
			b.Int(int64(binary.BigEndian.Uint64(v)))
		default:
			return false, catalog.Invalidf("a number has %d bytes", len(v))
		}
	}
	return true, nil
}

// Detach implements relational.Cursor: the pool may have another session in this one's place.
func (c *cursor) Detach() {
	if c.pooled != nil {
		c.own = c.pooled.Hijack()
		c.pooled = nil
	}
}

// Close implements relational.Cursor.
func (c *cursor) Close() error {
	if c.own != nil {
		conn := c.own
		c.own = nil
		err := closeNow(conn) // first: what it still had to say is not wanted, and rows.Close would read it all
		c.rows.Close()
		return err
	}
	if c.rows != nil {
		c.rows.Close()
	}
	if c.pooled != nil {
		c.pooled.Release()
		c.pooled = nil
	}
	return nil
}
