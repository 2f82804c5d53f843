package sqlite

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bus3/bus3/catalog/catalogtest"
	"github.com/bus3/bus3/catalog/internal/relational"
	"zombiezen.com/go/sqlite"
)

// explainer has statements explained instead of run.
type explainer struct {
	*database
	t    *testing.T
	conn *sqlite.Conn
	n    int
}

func (e *explainer) Query(_ context.Context, q *relational.Query, _ []any, each func(*relational.Row) error) error {
	e.explain(q, 0)
	if q.Shape == "i" { // one statement asks for what the next one needs
		return relational.Stream(&oneRow{}, 1, each)
	}
	return nil
}

func (e *explainer) Many(_ context.Context, q *relational.Query, keys relational.Keys, _ []any, _ func(int, *relational.Row) error) error {
	e.explain(q, len(keys))
	return nil
}

func (e *explainer) explain(q *relational.Query, keys int) {
	e.n++
	text := e.render(q.SQL, keys)
	stmt, _, err := e.conn.PrepareTransient("EXPLAIN QUERY PLAN " + text)
	if err != nil {
		e.t.Errorf("%s: %v", text, err)
		return
	}
	defer func() { _ = stmt.Finalize() }()
	for {
		more, err := stmt.Step()
		if err != nil {
			e.t.Errorf("%s: %v", text, err)
		}
		if !more || err != nil {
			return
		}
		step := stmt.ColumnText(3)
		e.t.Log(step)
		if strings.HasPrefix(step, "SCAN ") && step != "SCAN closed" && step != "SCAN CONSTANT ROW" {
			e.t.Errorf("%q reads a table: %s", text, step)
		}
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

func TestNoQueryReadsATableInFull(t *testing.T) {
	ctx := context.Background()
	c, err := Open(ctx, filepath.Join(t.TempDir(), "catalog.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	conn := <-c.db.writer
	defer func() { c.db.writer <- conn }()
	e := &explainer{database: c.db, t: t, conn: conn}
	catalogtest.CallIndexed(relational.New(e))
	if e.n < 19 {
		t.Fatalf("%d statements were explained", e.n)
	}
}
