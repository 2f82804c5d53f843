// Command bench measures bus3 beside restic, kopia, JuiceFS and what the machine itself needs for the same work: all in one
// run, one after the other, several times. docs/performance.md explains the rows and how they are measured.
//
//	make bench                  every row but the long ones
//	make bench ROWS=mount       the rows whose names begin with that regular expression
//	make bench ROWS=growth      10,000 to 1,000,000 files; as long: ROWS=scans, ROWS=hosts, ROWS=large
//
// What is set by the environment is listed in settings.go. It prints a table and writes it to OUT, with all values as JSON
// beside it; rows that other runs have left there are part of it. Everything happens on a tmpfs; nothing of the user's is touched.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run measures, and reports what there is also when something went wrong on the way.
func run(ctx context.Context) (err error) {
	s, err := readSettings(os.Getenv)
	if err != nil {
		return err
	}
	b, err := newBench(ctx, s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	if err := b.remember(); err != nil {
		return err
	}
	measureErr := b.all(ctx)
	return errors.Join(measureErr, b.report(measureErr))
}

// all measures what is asked for.
func (b *bench) all(ctx context.Context) error {
	for _, part := range []func(context.Context) error{b.corpora, b.growth, b.scans, b.hosts, b.large} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	return nil
}
