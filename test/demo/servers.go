package main

import (
	"context"
	"fmt"
	"os"

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
	database, err := pg.NewDatabase()
	if err != nil {
		return err
	}
	d.env = append(d.env, s3.Admin.Env()...)
	d.env = append(d.env, "BUS3_STORE="+s3.URL("backups"), "BUS3_CATALOG="+database)
	fmt.Printf("$ export BUS3_STORE='%s'\n$ export BUS3_CATALOG='%s'\n", s3.URL("backups"), database)
	return d.bus3(ctx, "init")
}
