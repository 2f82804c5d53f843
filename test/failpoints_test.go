package test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/bus3/bus3/catalog/failpoint"
	"github.com/bus3/bus3/test/pgtest"
	"github.com/bus3/bus3/test/quick"
	"github.com/bus3/bus3/test/versity"
)

// explosive is the program with its fail points, built once for all tests.
var explosive struct {
	once    sync.Once
	program string
	err     error
}

func withFailPoints(t *testing.T) string {
	t.Helper()
	explosive.once.Do(func() {
		explosive.program = filepath.Join(stage.dir, "bus3-failpoints")
		build := exec.Command("go", "build", "-tags", "failpoints", "-o", explosive.program, "./cmd/bus3")
		build.Dir = ".."
		if out, err := build.CombinedOutput(); err != nil {
			explosive.err = fmt.Errorf("build bus3 with fail points: %w\n%s", err, out)
		}
	})
	if explosive.err != nil {
		t.Fatal(explosive.err)
	}
	return explosive.program
}

// at is the rig with programs that do at a fail point what failpoint.Variable says, and whose packs and batches are small.
func (r *rig) at(point string) *rig {
	r.t.Helper()
	program := withFailPoints(r.t)
	c := r.with(failpoint.Variable+"="+point, failpoint.SmallVariable+"=1")
	c.run = func(cmd *exec.Cmd) {
		r.run(cmd)
		cmd.Path, cmd.Args[0] = program, program
		if cmd.SysProcAttr == nil {
			cmd.SysProcAttr = &syscall.SysProcAttr{}
		}
		cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL // one that halts must not outlive the tests
	}
	return c
}

// dies runs bus3, which must be killed at the point.
func (r *rig) dies(point string, args ...string) {
	r.t.Helper()
	cmd := r.at(point).command(args...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		r.t.Fatal(err)
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		r.t.Fatalf("bus3 %q was not killed at %s, it ended: %v\n%s", args, point, cmd.ProcessState, out)
	}
	r.sessionsEnd()
}

// sessionsEnd waits until PostgreSQL has noticed that a process was killed: until then its locks are held.
func (r *rig) sessionsEnd() {
	r.t.Helper()
	db := r.setting("BUS3_CATALOG")
	if !strings.HasPrefix(db, "postgres") {
		return
	}
	conn, err := pgx.Connect(r.t.Context(), db)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	until(r.t, "the sessions of the killed process have ended", func() bool {
		others := -1
		err := conn.QueryRow(r.t.Context(), `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'bus3'`).Scan(&others)
		return err == nil && others == 0
	})
}

// halted is a bus3 that waits at a fail point.
type halted struct {
	t     *testing.T
	cmd   *exec.Cmd
	file  string // there while it waits
	ended chan struct{}
	out   bytes.Buffer
	errs  bytes.Buffer
}

// halts starts bus3 and returns when it waits at the point.
func (r *rig) halts(point string, args ...string) *halted {
	r.t.Helper()
	h := &halted{t: r.t, ended: make(chan struct{}), file: filepath.Join(r.t.TempDir(), "here")}
	h.cmd = r.at(point + ":pause=" + h.file).command(args...)
	h.cmd.Stdout, h.cmd.Stderr = &h.out, &h.errs
	if err := h.cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	go func() { _ = h.cmd.Wait(); close(h.ended) }() // ProcessState tells how
	r.t.Cleanup(func() { _ = h.cmd.Process.Kill(); <-h.ended })
	until(r.t, "bus3 waits at "+point, func() bool {
		select {
		case <-h.ended:
			r.t.Fatalf("bus3 %q ended before %s: %v\n%s%s", args, point, h.cmd.ProcessState, &h.out, &h.errs)
		default:
		}
		_, err := os.Lstat(h.file)
		return err == nil
	})
	return h
}

// goesOn lets bus3 go on, and returns what it said and its exit code when it has ended.
func (h *halted) goesOn() (stdout, stderr string, code int) {
	h.t.Helper()
	if err := os.Remove(h.file); err != nil {
		h.t.Fatal(err)
	}
	select {
	case <-h.ended:
	case <-time.After(2 * patience):
		h.t.Fatal("bus3 does not end")
	}
	return h.out.String(), h.errs.String(), h.cmd.ProcessState.ExitCode()
}

// quickRig is a rig in memory.
func quickRig(t *testing.T) *rig {
	t.Helper()
	r := bareRig(t)
	r.dir = quick.Dir(t)
	r.home = r.path("home")
	if err := os.Mkdir(r.home, 0o700); err != nil {
		t.Fatal(err)
	}
	return r
}

// servers are a PostgreSQL and an S3 server.
type servers struct {
	pg *pgtest.Server
	s3 *versity.Server
}

// private makes servers that nobody else uses, and that may be stopped and started.
func private(t *testing.T) *servers { return &servers{pgtest.Private(t), quickVersity(t)} }

func quickVersity(t *testing.T) *versity.Server {
	t.Helper()
	s3, err := versity.Start(t.Context(), quick.Dir(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s3.Close)
	return s3
}

// rig has a bucket and a database, initialised.
func (s *servers) rig(t *testing.T) *rig {
	t.Helper()
	r := quickRig(t)
	bucket := s.s3.Bucket(t)
	r.store, r.objects = s.s3.URL(bucket), filepath.Join(s.s3.Data(), bucket)
	r.env = append(append(r.env, s.s3.Admin.Env()...), "BUS3_STORE="+r.store, "BUS3_CATALOG="+s.pg.Database(t))
	r.bus3("init")
	return r
}

// localRig is one with a directory and an SQLite file, initialised.
func localRig(t *testing.T) *rig {
	t.Helper()
	r := quickRig(t)
	r.objects = r.path("store")
	r.store = "file://" + r.objects
	r.env = append(r.env, "BUS3_STORE="+r.store, "BUS3_CATALOG=sqlite://"+r.path("catalog.db"))
	r.bus3("init")
	return r
}
