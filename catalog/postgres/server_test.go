package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/catalogtest"
	"github.com/bus3/bus3/catalog/postgres"
	"github.com/bus3/bus3/test/pgtest"
	"github.com/jackc/pgx/v5"
)

func TestNoQueryReadsATableInFull(t *testing.T) {
	c := open(t, server.Database(t), false)
	e, n := postgres.Explainer(t, c)
	catalogtest.CallIndexed(e)
	if *n < 19 {
		t.Fatalf("%d statements were explained", *n)
	}
}

func TestServersThatBreakPromisesAreRefused(t *testing.T) {
	s := pgtest.Private(t, "fsync=off")
	_, err := postgres.Open(context.Background(), s.Database(t), postgres.Options{})
	if err == nil || !strings.Contains(err.Error(), "fsync=off") {
		t.Fatalf("got %v", err)
	}
}

func TestARestartOfTheServerIsSurvived(t *testing.T) {
	ctx := context.Background()
	s := pgtest.Private(t, "synchronous_commit=off")
	c := open(t, s.Database(t), false)
	lock, err := c.LockSource(ctx, "host", "/")
	if err != nil {
		t.Fatal(err)
	}
	scanner := catalogtest.Begin(t, c, "host", "/")
	root := scanner.Root()
	scanner.Apply()
	scanner.Open(catalog.Entry{Dir: root.Ino, Name: "file"})
	b := scanner.Take()
	if err := s.Crash(); err != nil {
		t.Fatal(err)
	}
	if err := c.Apply(ctx, b); !errors.Is(err, catalog.ErrUnavailable) {
		t.Errorf("apply without a server: %v", err)
	}
	if err := lock.Check(ctx); !errors.Is(err, catalog.ErrLockLost) {
		t.Errorf("check without a server: %v", err)
	}
	if err := s.Resume(); err != nil {
		t.Fatal(err)
	}
	for err = c.Apply(ctx, b); errors.Is(err, catalog.ErrUnavailable); err = c.Apply(ctx, b) { // until dead sessions are used up
		t.Log(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if names := catalogtest.Names(t, c, 0, root.Ino); len(names) != 1 {
		t.Errorf("%q after the restart", names)
	}
	if err := lock.Check(ctx); !errors.Is(err, catalog.ErrLockLost) {
		t.Errorf("the lock survived its session: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Error(err)
	}
}

func TestDatabasesOfOthersAreLeftAlone(t *testing.T) {
	ctx := context.Background()
	url := server.Database(t)
	exec(t, url, `CREATE SCHEMA bus3; CREATE TABLE bus3.precious (id int); CREATE TABLE entry (id int)`)
	if _, err := postgres.Open(ctx, url, postgres.Options{}); err == nil || !strings.Contains(err.Error(), "did not make") {
		t.Fatalf("got %v", err)
	}
	c := open(t, url+"&search_path=mine", false)
	catalogtest.Begin(t, c, "host", "/").Finish()
	exec(t, url, `SELECT id FROM bus3.precious; SELECT id FROM public.entry; SELECT number FROM mine.scan`)
}

func TestReadingMakesNothing(t *testing.T) {
	ctx := context.Background()
	url := server.Database(t)
	_, err := postgres.Open(ctx, url, postgres.Options{ReadOnly: true})
	if !errors.Is(err, catalog.ErrNoCatalog) {
		t.Fatalf("got %v", err)
	}
	exec(t, url, `CREATE SCHEMA bus3`)
}

func TestANewerSchemaIsRefused(t *testing.T) {
	url := server.Database(t)
	open(t, url, false)
	exec(t, url, `INSERT INTO bus3.schema_version (version_id, is_applied) VALUES (99, true)`)
	if _, err := postgres.Open(context.Background(), url, postgres.Options{}); !errors.Is(err, catalog.ErrNewer) {
		t.Fatalf("got %v", err)
	}
}

func exec(t *testing.T, url, sql string) {
	t.Helper()
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, sql); err != nil {
		t.Fatal(err)
	}
}
