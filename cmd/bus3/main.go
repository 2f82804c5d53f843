// Command bus3 backs directories up to S3, or into a directory, and gives every backup back as a plain directory tree.
package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

// version is set by the linker: see the Makefile.
var version string

func main() {
	hideMemory()
	tuneMemory()
	ctx, stop := untilSignal(context.Background())
	code := run(ctx, os.Args[1:], newTerminal())
	stop()
	os.Exit(code)
}

// errInterrupted is why a context ended when the user or the system asked the process to end.
var errInterrupted = errors.New("interrupted")

// untilSignal is a context that ends with errInterrupted at the first SIGINT, SIGTERM or SIGHUP. A second one ends the process
// the hard way, as the system does by default: nothing is lost by that either.
func untilSignal(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	done := make(chan struct{})
	go func() {
		select {
		case <-signals:
			signal.Stop(signals)
			cancel(errInterrupted)
		case <-done:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(done)
		cancel(nil)
	}
}

// hideMemory keeps keys and passphrases out of core dumps and other processes of the user: no core is written, and
// /proc/PID/mem and …/environ belong to root. A kernel that refuses leaves things as they are everywhere else.
func hideMemory() {
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
	setUndumpable()
}

// When the garbage collector runs, in percent of the live heap: often where the heap is most of the memory, which is bounded, and
// there is little garbage, since buffers are reused.
const (
	// collectAt is for most commands: measured on 2 GB of /usr/lib, 25 saves 16 MiB over 50 and costs 1 % of the time.
	collectAt = 25
	// collectBackingUp saves some 5 MiB more, of 45 that are alive, where every MiB counts.
	collectBackingUp = 12
	// collectRestoring is for a heap that is small beside the reader's memory: measured on 30,000 files of 4 KiB, 200
	// instead of 25 saves a sixth of the time and costs 20 MiB.
	collectRestoring = 200

	// softLimit makes the collector work harder before backup and mount use more than they may (200 MiB, of which
	// the process's code and stacks are not the heap's). A mount with a larger cache raises it.
	softLimit = 160 << 20
)

// tuneMemory sets the garbage collector for what most commands do.
func tuneMemory() {
	collect(collectAt)
	limitMemory(0)
}

// collect sets the garbage collector, unless the user has done so by GOGC.
func collect(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// limitMemory sets the soft limit, with extra bytes for what the user allowed on top, unless the user has done so by GOMEMLIMIT.
func limitMemory(extra int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(softLimit + extra)
	}
}
