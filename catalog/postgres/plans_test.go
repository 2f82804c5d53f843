package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/bus3/bus3/catalog/internal/relational"
)

// Explainer is a catalog that has its statements explained instead of run. Report gets what reads a table in full.
func Explainer(t *testing.T, c *Catalog) (explaining *relational.Catalog, count *int) {
	e := &explainer{database: c.db, t: t}
	return relational.New(e), &e.n
}

type explainer struct {
	*database
	t *testing.T
	n int
}

func (e *explainer) Query(ctx context.Context, q *relational.Query, args []any, each func(*relational.Row) error) error {
	e.explain(ctx, e.render(q.SQL), args)
	if q.Shape == "i" { // one statement asks for what the next one needs
		return relational.Stream(&oneRow{}, 1, each)
	}
	return nil
}

func (e *explainer) Many(ctx context.Context, q *relational.Query, keys relational.Keys, args []any, _ func(int, *relational.Row) error) error {
	e.explain(ctx, e.renderMany(q, keys), joined(keys, args))
	return nil
}

func (e *explainer) explain(ctx context.Context, text string, args []any) {
	e.n++
	rows, err := e.pool.Query(ctx, "EXPLAIN "+text, args...)
	if err != nil {
		e.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var step string
		if err := rows.Scan(&step); err != nil {
			e.t.Fatal(err)
		}
		e.t.Log(step)
		if strings.Contains(step, "Seq Scan") {
			e.t.Errorf("%q reads a table: %s", text, step)
		}
	}
	if err := rows.Err(); err != nil {
		e.t.Errorf("%s: %v", text, err)
	}
}

// oneRow is a result of one row with the number 1.
type oneRow struct{ told bool }

func (o *oneRow) Next(b *relational.Buffer) (bool, error) {
	if o.told {
		return false, nil
	}
	o.told = true
	b.Int(1)
	return true, nil
}
func (o *oneRow) Detach()      {}
func (o *oneRow) Close() error { return nil }
