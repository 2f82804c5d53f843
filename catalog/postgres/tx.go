package postgres

import (
	"context"

	"github.com/bus3/bus3/catalog/internal/relational"
	"github.com/jackc/pgx/v5"
)

// tx is a running transaction.
type tx struct {
	db *database
	tx pgx.Tx
}

// Query implements relational.Reader.
func (t *tx) Query(ctx context.Context, q *relational.Query, args []any, each func(*relational.Row) error) error {
	return t.stream(ctx, q, t.db.render(q.SQL), args, len(q.Shape), each)
}

// Many implements relational.Reader.
func (t *tx) Many(ctx context.Context, q *relational.Query, keys relational.Keys, args []any, each func(int, *relational.Row) error) error {
	return t.stream(ctx, q, t.db.renderMany(q, keys), joined(keys, args), len(q.Shape)+1, func(r *relational.Row) error {
		return each(int(r.Int(0)), r)
	})
}

func (t *tx) stream(ctx context.Context, q *relational.Query, text string, args []any, width int, each func(*relational.Row) error) error {
	rows, err := t.tx.Query(ctx, text, append([]any{binaryRows}, args...)...)
	if err != nil {
		return explain(ctx, err)
	}
	return relational.Stream(&cursor{ctx: ctx, rows: rows, width: width, shape: q.Shape}, width, each)
}

// Exec implements relational.Tx.
func (t *tx) Exec(ctx context.Context, text string, args ...any) (int64, error) {
	tag, err := t.tx.Exec(ctx, t.db.render(text), args...)
	return tag.RowsAffected(), explain(ctx, err)
}

// ExecMany implements relational.Tx.
func (t *tx) ExecMany(ctx context.Context, text string, keys relational.Keys, args ...any) error {
	_, err := t.tx.Exec(ctx, t.db.renderExec(text, keys), joined(keys, args)...)
	return explain(ctx, err)
}

// Insert implements relational.Tx by COPY.
func (t *tx) Insert(ctx context.Context, table *relational.Table, n int, row func(int, relational.Values)) error {
	_, err := t.tx.Conn().PgConn().CopyFrom(ctx, newCopyReader(table, n, row), copyText(table))
	return explain(ctx, err)
}

// LockName implements relational.Tx by an advisory lock of the transaction.
func (t *tx) LockName(ctx context.Context, name string) error {
	_, err := t.tx.Exec(ctx, `SELECT pg_advisory_xact_lock($1)`, t.db.lockKey("name", name))
	return explain(ctx, err)
}
