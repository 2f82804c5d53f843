package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/internal/relational"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// database is the relational.Engine over a pool of sessions.
type database struct {
	pool     *pgxpool.Pool
	config   *pgx.ConnConfig
	schema   string
	readOnly bool
	texts    sync.Map // statements with their marks filled in
}

// Query implements relational.Reader.
func (d *database) Query(ctx context.Context, q *relational.Query, args []any, each func(*relational.Row) error) error {
	return d.stream(ctx, q, d.render(q.SQL), args, len(q.Shape), each)
}

// Many implements relational.Reader.
func (d *database) Many(ctx context.Context, q *relational.Query, keys relational.Keys, args []any, each func(int, *relational.Row) error) error {
	return d.stream(ctx, q, d.renderMany(q, keys), joined(keys, args), len(q.Shape)+1, func(r *relational.Row) error {
		return each(int(r.Int(0)), r)
	})
}

// absence is for how long a query waits for a server that was there and went away: it may be restarting.
const absence = time.Minute

// stream runs a query, again if the server went away before the first row came.
func (d *database) stream(ctx context.Context, q *relational.Query, text string, args []any, width int, each func(*relational.Row) error) error {
	end := time.Now().Add(absence)
	for pause := time.Duration(0); ; pause = min(2*pause+10*time.Millisecond, time.Second) {
		if err := wait(ctx, pause); err != nil {
			return err
		}
		came := false
		err := d.streamOnce(ctx, q, text, args, width, func(r *relational.Row) error {
			came = true
			return each(r)
		})
		if err == nil || came || !errors.Is(err, catalog.ErrUnavailable) || time.Now().After(end) {
			return err
		}
	}
}

func wait(ctx context.Context, pause time.Duration) error {
	if pause == 0 {
		return nil
	}
	t := time.NewTimer(pause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (d *database) streamOnce(ctx context.Context, q *relational.Query, text string, args []any, width int, each func(*relational.Row) error) error {
	conn, err := d.pool.Acquire(ctx)
	if err != nil {
		return explain(ctx, err)
	}
	c := &cursor{ctx: ctx, pooled: conn, width: width, shape: q.Shape}
	c.rows, err = conn.Query(ctx, text, append([]any{binaryRows}, args...)...)
	if err != nil {
		return errors.Join(explain(ctx, err), c.Close())
	}
	return relational.Stream(c, width, each)
}

// Write implements relational.Engine.
func (d *database) Write(ctx context.Context, do func(relational.Tx) error) error {
	if d.readOnly {
		return catalog.ErrReadOnly
	}
	// Each statement must see what others committed while it waited for their locks, whatever the server's default is.
	t, err := d.pool.BeginTx(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted})
	if err != nil {
		return explain(ctx, err)
	}
	if err = do(&tx{db: d, tx: t}); err == nil {
		return explain(ctx, t.Commit(ctx))
	}
	// The transaction is not committed, whatever becomes of the ROLLBACK: a session that does not take it is closed.
	undo, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	_ = t.Rollback(undo)
	return err
}

// joined is the arguments of a statement with keys: the columns of keys, then what all of them share.
func joined(keys relational.Keys, args []any) []any {
	return append(append(make([]any, 0, len(keys)+len(args)+1), keys...), args...)
}

// render fills in the marks of a statement without keys.
func (d *database) render(text string) string {
	if t, ok := d.texts.Load(text); ok {
		return t.(string)
	}
	t := strings.ReplaceAll(text, "{lock}", "FOR UPDATE")
	d.texts.Store(text, t)
	return t
}

// renderMany makes a statement of q that has all keys at once: q runs for each row of their table k.
func (d *database) renderMany(q *relational.Query, keys relational.Keys) string {
	if t, ok := d.texts.Load(q); ok {
		return t.(string)
	}
	order := ""
	if q.Order != "" {
		order = ", r." + q.Order
	}
	t := "SELECT k.pos - 1, r.* FROM " + unnest(keys, " WITH ORDINALITY", ", pos") +
		" CROSS JOIN LATERAL (" + marks(q.SQL, len(keys)) + ") AS r ORDER BY k.pos" + order
	d.texts.Store(q, t)
	return t
}

// renderExec fills in the marks of an UPDATE or DELETE with keys.
func (d *database) renderExec(text string, keys relational.Keys) string {
	if t, ok := d.texts.Load(text); ok {
		return t.(string)
	}
	t := marks(text, len(keys))
	t = strings.ReplaceAll(t, "{from}", "FROM "+unnest(keys, "", ""))
	t = strings.ReplaceAll(t, "{using}", "USING "+unnest(keys, "", ""))
	d.texts.Store(text, t)
	return t
}

// unnest is keys as a table k with columns a, b, ….
func unnest(keys relational.Keys, with, column string) string {
	args, names := "", ""
	for i, k := range keys {
		if i > 0 {
			args, names = args+", ", names+", "
		}
		kind := "bigint"
		if _, ok := k.([][]byte); ok {
			kind = "bytea"
		}
		args += fmt.Sprintf("$%d::%s[]", i+1, kind)
		names += string(rune('a' + i))
	}
	return "unnest(" + args + ")" + with + " AS k(" + names + column + ")"
}

// marks fills in the columns of keys, and moves the arguments behind them.
func marks(text string, keys int) string {
	m := []string{"{a}", "k.a", "{b}", "k.b", "{c}", "k.c", "{lock}", "FOR UPDATE"}
	for i := 20; i > 0; i-- { // $10 before $1
		m = append(m, fmt.Sprintf("$%d", i), fmt.Sprintf("$%d", i+keys))
	}
	return strings.NewReplacer(m...).Replace(text)
}
