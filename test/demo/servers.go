package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"

	"github.com/bus3/bus3/test/pgtest"
	"github.com/bus3/bus3/test/versity"
)

// startServers starts PostgreSQL and an S3 server, and makes a repository there.
func (d *demo) startServers(ctx context.Context) error {
	fmt.Println("# Starting a private PostgreSQL and a private S3 server (versitygw; it is built first, if need be)")
	pg, err := pgtest.StartPrivate()
	if err != nil {
		return err
	}
	d.cleanups = append(d.cleanups, pg.Stop)
	dir, err := os.MkdirTemp("", "bus3-demo-s3-")
	if err != nil {
		return err
	}
	d.cleanups = append(d.cleanups, func() error { return os.RemoveAll(dir) })
	s3, err := versity.Start(ctx, dir)
	if err != nil {
		return err
	}
	d.cleanups = append(d.cleanups, func() error { s3.Close(); return nil })
	if err := s3.MakeBucket(ctx, "backups"); err != nil {
		return err
	}
	database, err := d.database(ctx, pg)
	if err != nil {
		return err
	}
	d.env = append(d.env, s3.Admin.Env()...)
	d.env = append(d.env, "BUS3_STORE="+s3.URL("backups"), "BUS3_CATALOG="+database)
	fmt.Printf("$ export BUS3_STORE='%s'\n$ export BUS3_CATALOG='%s'\n", s3.URL("backups"), database)
	return d.bus3(ctx, "init")
}

// database makes a database as tests do.
func (d *demo) database(ctx context.Context, pg *pgtest.Server) (url string, err error) {
	t := &standIn{ctx: ctx}
	defer func() {
		if recover() != nil { // only standIn panics
			err = t.err
		}
	}()
	return pg.Database(t), nil
}

// standIn is what package pgtest needs of a test. The database is not dropped: the whole server is.
type standIn struct {
	testing.TB
	ctx context.Context
	err error
}

// Helper does nothing.
func (*standIn) Helper() {}

// Cleanup does nothing.
func (*standIn) Cleanup(func()) {}

// Context is the demo's.
func (t *standIn) Context() context.Context { return t.ctx }

// Fatalf ends the making of the database.
func (t *standIn) Fatalf(format string, args ...any) {
	t.err = fmt.Errorf(format, args...)
	panic(errors.New("fatal"))
}
