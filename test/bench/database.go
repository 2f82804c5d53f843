package main

import (
	"context"
	"os"
	"strings"

	"github.com/jackc/pgx/v5"
)

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
