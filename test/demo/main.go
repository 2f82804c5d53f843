// Command demo shows what bus3 does, with real commands and their real output: two backups of a directory that changes in
// between, a mount of both, copies out of it, and a comparison. With -s3 the repository is on a private PostgreSQL and a private S3 server.
// Everything happens below a temporary directory; nothing of the user's is touched.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	program := flag.String("bus3", "bin/bus3", "the program to show")
	s3 := flag.Bool("s3", false, "on PostgreSQL and S3")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *program, *s3)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// run makes the stage, plays, and clears up.
func run(ctx context.Context, program string, s3 bool) (err error) {
	program, err = filepath.Abs(program)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bus3-demo-")
	if err != nil {
		return err
	}
	d := &demo{program: program, dir: dir}
	defer func() { err = errors.Join(err, d.clear()) }()
	d.environment()
	if s3 {
		if err := d.startServers(ctx); err != nil {
			return err
		}
	}
	return d.play(ctx)
}
