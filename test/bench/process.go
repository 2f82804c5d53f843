package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// command is a program to run, and what its environment has beyond the bench's.
type command struct {
	args []string
	env  []string
	dir  string

	unwatched bool // its peak memory is not asked for
}

// sh is a command line.
func sh(line string, args ...string) command {
	return command{args: append([]string{"sh", "-c", line, "sh"}, args...)}
}

// spent is what a process needed.
type spent struct {
	seconds, cpu float64 // cpu: of the process and of those it waited for
	peakMiB      float64 // VmHWM
	stdout       []byte
}

const (
	// glance lies between two looks at a process: its peak memory is that of the last look.
	glance = 5 * time.Millisecond
	// patience is how long a mount may take to be there, or to end.
	patience = 2 * time.Minute
)

func (c command) build(ctx context.Context) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.CommandContext(ctx, c.args[0], c.args[1:]...)
	cmd.Env = append(append(os.Environ(), "LC_ALL=C"), c.env...)
	cmd.Dir = c.dir
	complaints := &bytes.Buffer{}
	cmd.Stderr = complaints
	return cmd, complaints
}

// run runs a command to its end and tells what it needed.
func (c command) run(ctx context.Context) (spent, error) {
	cmd, complaints := c.build(ctx)
	var out bytes.Buffer
	cmd.Stdout = &out
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return spent{}, err
	}
	watch := func() float64 { return 0 }
	if !c.unwatched {
		watch = watchPeak(cmd.Process.Pid)
	}
	err := cmd.Wait()
	s := spent{seconds: time.Since(start).Seconds(), peakMiB: watch(), stdout: out.Bytes()}
	s.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	if err != nil {
		return s, fmt.Errorf("%s: %w\n%s", strings.Join(c.args, " "), err, tail(complaints.Bytes()))
	}
	return s, nil
}

// watchPeak looks at a process again and again. What it returns ends that and tells the peak.
func watchPeak(pid int) func() float64 {
	var peak float64
	var done sync.WaitGroup
	stop := make(chan struct{})
	done.Add(1)
	go func() {
		defer done.Done()
		for tick := time.NewTicker(glance); ; {
			peak = max(peak, peakMiB(pid))
			select {
			case <-stop:
				tick.Stop()
				return
			case <-tick.C:
			}
		}
	}()
	return func() float64 {
		close(stop)
		done.Wait()
		return peak
	}
}

// peakMiB is the VmHWM of a process; 0 if it is gone.
func peakMiB(pid int) float64 {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	var kib float64
	if _, err := fmt.Sscan(after(string(status), "VmHWM:"), &kib); err != nil {
		return 0
	}
	return kib / 1024
}

// after is what stands behind a key.
func after(text, key string) string {
	_, rest, _ := strings.Cut(text, key)
	return rest
}

// served is a file system that a process of ours serves.
type served struct {
	point string
	ready float64 // seconds from the start of the process until the root could be listed
	cmd   *exec.Cmd
	ended chan error
}

// serve starts a command that serves a mount in the foreground, and waits until its root can be listed.
func (c command) serve(ctx context.Context, point string) (*served, error) {
	if err := os.MkdirAll(point, 0o700); err != nil {
		return nil, err
	}
	cmd, complaints := c.build(ctx)
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	m := &served{point: point, cmd: cmd, ended: make(chan error, 1)}
	go func() { m.ended <- cmd.Wait() }()
	for !isMounted(point) {
		select {
		case err := <-m.ended:
			return nil, fmt.Errorf("%s: it ended before it was mounted: %w\n%s", strings.Join(c.args, " "), errors.Join(err, ctx.Err()), tail(complaints.Bytes()))
		case <-time.After(time.Millisecond):
		}
		if time.Since(start) > patience {
			return nil, errors.Join(fmt.Errorf("%s: not mounted within %v", strings.Join(c.args, " "), patience), cmd.Process.Kill(), <-m.ended)
		}
	}
	m.ready = time.Since(start).Seconds()
	return m, nil
}

func isMounted(point string) bool {
	var here, above unix.Stat_t
	if unix.Stat(point, &here) != nil || unix.Stat(filepath.Dir(point), &above) != nil || here.Dev == above.Dev {
		return false
	}
	names, err := os.ReadDir(point)
	return err == nil && len(names) > 0
}

// end unmounts, waits for the end of the process, and tells its peak memory.
func (m *served) end() (peak float64, err error) {
	peak = peakMiB(m.cmd.Process.Pid)
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		out, err := exec.Command("fusermount3", "-u", m.point).CombinedOutput()
		if err == nil {
			break
		}
		if time.Since(start) > 10*time.Second { // busy
			m.abandon()
			return peak, fmt.Errorf("unmount %s: %w: %s", m.point, err, out)
		}
	}
	select {
	case err := <-m.ended:
		var exit *exec.ExitError
		if errors.As(err, &exit) { // some peers end so
			err = nil
		}
		return peak, err
	case <-time.After(patience):
		m.abandon()
		return peak, fmt.Errorf("the server of %s does not end", m.point)
	}
}

// abandon takes the mount away whoever uses it, and ends the process.
func (m *served) abandon() {
	_ = exec.Command("fusermount3", "-u", "-z", m.point).Run() // may be gone already
	_ = m.cmd.Process.Signal(syscall.SIGKILL)                  // the same
}

func tail(text []byte) []byte {
	const most = 2 << 10
	return text[max(len(text)-most, 0):]
}
