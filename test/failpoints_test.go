package test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bus3/bus3/catalog/failpoint"
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
