package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/internal/relational"
	"zombiezen.com/go/sqlite"
)

// tx is the running transaction of the one connection that writes.
type tx struct {
	db   *database
	conn *sqlite.Conn
}

// Write implements relational.Engine.
func (d *database) Write(ctx context.Context, do func(relational.Tx) error) (err error) {
	if d.readOnly {
		return catalog.ErrReadOnly
	}
	var conn *sqlite.Conn
	select {
	case conn = <-d.writer:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { d.writer <- conn }()
	conn.SetInterrupt(ctx.Done())
	t := &tx{db: d, conn: conn}
	if err = t.run(ctx, "BEGIN IMMEDIATE"); err == nil {
		if err = do(t); err == nil {
			err = t.run(ctx, "COMMIT")
		}
	}
	conn.SetInterrupt(nil)
	if !conn.AutocommitEnabled() { // it was not committed, and must not linger
		if rerr := t.run(ctx, "ROLLBACK"); rerr != nil {
			err = errors.Join(err, rerr)
		}
	}
	return err
}

func (t *tx) run(ctx context.Context, text string) error {
	_, err := t.Exec(ctx, text)
	return err
}

// Query implements relational.Reader.
func (t *tx) Query(ctx context.Context, q *relational.Query, args []any, each func(*relational.Row) error) error {
	return relational.Stream(&cursor{ctx: ctx, db: t.db, conn: t.conn, tx: true, query: q, args: args, keys: -1}, len(q.Shape), each)
}

// Many implements relational.Reader.
func (t *tx) Many(ctx context.Context, q *relational.Query, keys relational.Keys, args []any, each func(int, *relational.Row) error) error {
	c := &cursor{ctx: ctx, db: t.db, conn: t.conn, tx: true, query: q, args: args, columns: keys, keys: length(keys)}
	return relational.Stream(c, len(q.Shape)+1, func(r *relational.Row) error { return each(int(r.Int(0)), r) })
}

// Exec implements relational.Tx.
func (t *tx) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	stmt, err := t.conn.Prepare(t.db.render(text, 0))
	if err != nil {
		return 0, explain(ctx, err)
	}
	bindArgs(stmt, 0, args)
	if _, err := stmt.Step(); err != nil {
		return 0, explain(ctx, err)
	}
	return int64(t.conn.Changes()), explain(ctx, stmt.Reset())
}

// ExecMany implements relational.Tx.
func (t *tx) ExecMany(ctx context.Context, text string, keys relational.Keys, args ...any) error {
	stmt, err := t.conn.Prepare(t.db.render(text, len(keys)))
	if err != nil {
		return explain(ctx, err)
	}
	bindArgs(stmt, len(keys), args)
	for i := range length(keys) {
		bindKey(stmt, keys, i)
		if err := once(stmt); err != nil {
			return explain(ctx, err)
		}
	}
	return nil
}

// together is how many rows one statement inserts where there are that many: it opens its cursors once for all of them.
const together = 200

// Insert implements relational.Tx.
func (t *tx) Insert(ctx context.Context, table *relational.Table, n int, row func(int, relational.Values)) error {
	rest := n - n%together
	if err := t.insert(ctx, table, 0, rest, together, row); err != nil {
		return err
	}
	return t.insert(ctx, table, rest, n, 1, row)
}

// insert writes the rows from one on up to another, so many with one statement.
func (t *tx) insert(ctx context.Context, table *relational.Table, from, to, rows int, row func(int, relational.Values)) error {
	if from == to {
		return nil
	}
	stmt, err := t.conn.Prepare(t.db.insertText(table, rows))
	if err != nil {
		return explain(ctx, err)
	}
	v := &binder{stmt: stmt}
	for ; from < to; from += rows {
		v.column = 0
		for i := range rows {
			row(from+i, v)
		}
		if v.column != rows*len(table.Columns) {
			return fmt.Errorf("%d values for the %d columns of %d rows of %s", v.column, len(table.Columns), rows, table.Name)
		}
		if err := once(stmt); err != nil {
			return explain(ctx, err)
		}
	}
	return explain(ctx, stmt.ClearBindings()) // they may be large
}

// LockName implements relational.Tx: only one transaction writes at a time.
func (t *tx) LockName(context.Context, string) error { return nil }

func once(stmt *sqlite.Stmt) error {
	if _, err := stmt.Step(); err != nil {
		return err
	}
	return stmt.Reset()
}

// insertText is a statement that inserts so many rows.
func (d *database) insertText(table *relational.Table, rows int) string {
	type key struct {
		table *relational.Table
		rows  int
	}
	if t, ok := d.texts.Load(key{table, rows}); ok {
		return t.(string)
	}
	names, marks := "", ""
	for i, c := range table.Columns {
		if i > 0 {
			names, marks = names+", ", marks+", "
		}
		names, marks = names+c.Name, marks+"?"
	}
	t := "INSERT INTO " + table.Name + " (" + names + ") VALUES (" + marks + ")" + strings.Repeat(", ("+marks+")", rows-1)
	d.texts.Store(key{table, rows}, t)
	return t
}
