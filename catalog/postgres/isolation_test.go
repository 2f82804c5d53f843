package postgres_test

import (
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/bus3/bus3/catalog"
)

// Whoever catches up applies what the writer is applying at the same moment. On a server whose transactions see an old state by
// default, the second one would find its rows there already, and take the batch for damaged.
func TestTwoApplyOneBatchWhateverTheServersIsolation(t *testing.T) {
	ctx := t.Context()
	url := server.Database(t)
	cat := open(t, url+"&default_transaction_isolation=repeatable%20read", false)
	source := catalog.Source{ID: catalog.NewID(0, 1), Host: "host", Root: "/root"}
	begin := &catalog.Batch{Begin: &catalog.Begin{Source: source, After: -1}}
	part := &catalog.Batch{Part: 1, Opened: []catalog.Entry{{
		ID: catalog.NewID(0, 2), Source: source.ID, Last: catalog.Open, Ino: catalog.NewID(0, 3), Kind: catalog.Directory, Mode: 0o755, Nlink: 2,
	}}}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(cat.Apply(ctx, begin))

	conn, err := pgx.Connect(ctx, url)
	must(err)
	defer func() { _ = conn.Close(ctx) }()
	hold, err := conn.Begin(ctx)
	must(err)
	_, err = hold.Exec(ctx, `SELECT id FROM bus3.source FOR UPDATE`)
	must(err)
	watch, err := pgx.Connect(ctx, url) // a transaction would see the same sessions again and again
	must(err)
	defer func() { _ = watch.Close(ctx) }()
	var both errgroup.Group
	for range 2 {
		both.Go(func() error { return cat.Apply(ctx, part) })
	}
	for waiting, deadline := 0, time.Now().Add(2*time.Minute); waiting < 2; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody waits for the source")
		}
		must(watch.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting))
	}
	must(hold.Rollback(ctx))
	if err := both.Wait(); err != nil {
		t.Error(strings.TrimSpace(err.Error()))
	}
}
