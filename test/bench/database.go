package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// database makes an empty database. It goes with the server.
func (b *bench) database(ctx context.Context) (url string, err error) {
	t := &standIn{ctx: ctx}
	defer func() {
		if recover() != nil { // only standIn panics
			err = t.err
		}
	}()
	return b.pg.Database(t), nil
}

// standIn is what package pgtest needs of a test.
type standIn struct {
	testing.TB
	ctx context.Context
	err error
}

// Helper does nothing.
func (*standIn) Helper() {}

// Cleanup does nothing.
func (*standIn) Cleanup(func()) {}

// Context is the bench's.
func (t *standIn) Context() context.Context { return t.ctx }

// Fatalf ends the making of the database.
func (t *standIn) Fatalf(format string, args ...any) {
	t.err = fmt.Errorf(format, args...)
	panic(t.err)
}

// catalogBytes is what the catalog of a bus3 takes, its log included.
func (t *bus3) catalogBytes(ctx context.Context) (n int64, err error) {
	if t.catalog == "postgres" {
		conn, err := pgx.Connect(ctx, t.url)
		if err != nil {
			return 0, err
		}
		defer func() { _ = conn.Close(ctx) }() // it only read
		err = conn.QueryRow(ctx, "SELECT pg_database_size(current_database())").Scan(&n)
		return n, err
	}
	for _, suffix := range []string{"", "-wal"} {
		if info, err := os.Stat(t.at("catalog.db" + suffix)); err == nil {
			n += info.Size()
		}
	}
	return n, nil
}

// dropDatabase frees what the catalog of a bus3 took, if it is a database.
func (b *bench) dropDatabase(ctx context.Context, t tool) error {
	mine, ok := t.(*bus3)
	if !ok || mine.catalog != "postgres" || mine.url == "" {
		return nil
	}
	config, err := pgx.ParseConfig(mine.url)
	if err != nil {
		return err
	}
	name := config.Database
	config.Database = "postgres"
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }() // the drop has told
	_, err = conn.Exec(ctx, "DROP DATABASE "+pgx.Identifier{name}.Sanitize()+" WITH (FORCE)")
	return err
}

// setenv sets a variable, given as name=value.
func setenv(pair string) error {
	name, value, _ := strings.Cut(pair, "=")
	return os.Setenv(name, value)
}
