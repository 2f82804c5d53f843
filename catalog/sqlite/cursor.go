package sqlite

import (
	"context"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/internal/relational"
	"zombiezen.com/go/sqlite"
)

// cursor is a running query: once, or for each of its keys.
type cursor struct {
	ctx  context.Context
	db   *database
	conn *sqlite.Conn // nil when closed
	tx   bool         // conn belongs to a transaction and stays there
	slot bool         // one of db.slots is taken

	query   *relational.Query
	args    []any
	columns relational.Keys
	keys    int // -1: there are none
	key     int
	stmt    *sqlite.Stmt
	running bool
}

// Next implements relational.Cursor.
func (c *cursor) Next(b *relational.Buffer) (bool, error) {
	if c.stmt == nil {
		stmt, err := c.conn.Prepare(c.db.render(c.query.SQL, len(c.columns)))
		if err != nil {
			return false, explain(c.ctx, err)
		}
		c.stmt = stmt
		bindArgs(stmt, len(c.columns), c.args)
	}
	for {
		if !c.running {
			if c.key >= max(c.keys, 1) || c.keys == 0 {
				return false, nil
			}
			bindKey(c.stmt, c.columns, c.key)
			c.running = true
		}
		more, err := c.stmt.Step()
		if err != nil {
			return false, explain(c.ctx, err)
		}
		if more {
			return true, c.read(b)
		}
		if err := c.stmt.Reset(); err != nil {
			return false, explain(c.ctx, err)
		}
		c.running = false
		c.key++
	}
}

func (c *cursor) read(b *relational.Buffer) error {
	if c.keys >= 0 {
		b.Int(int64(c.key))
	}
	for i := range len(c.query.Shape) {
		t := c.stmt.ColumnType(i)
		switch {
		case c.query.Shape[i] == 'i' && (t == sqlite.TypeInteger || t == sqlite.TypeNull):
			b.Int(c.stmt.ColumnInt64(i))
		case c.query.Shape[i] == 'b' && (t == sqlite.TypeBlob || t == sqlite.TypeNull):
			c.stmt.ColumnBytes(i, b.Grow(c.stmt.ColumnLen(i)))
		default:
			return catalog.Invalidf("column %s is %v", c.stmt.ColumnName(i), t)
		}
	}
	return nil
}

// Detach implements relational.Cursor.
func (c *cursor) Detach() {
	if c.slot {
		<-c.db.slots
		c.slot = false
	}
}

// Close implements relational.Cursor.
func (c *cursor) Close() error {
	if c.conn == nil {
		return nil
	}
	conn := c.conn
	c.conn = nil
	if c.stmt != nil {
		// What Reset says is the error of the last Step, which was told.
		_ = c.stmt.Reset()
	}
	if c.tx {
		return nil
	}
	conn.SetInterrupt(nil)
	err := c.db.give(conn)
	c.Detach()
	return err
}
