package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

const (
	// backgroundVar tells a process that it is the one that goes on in the background.
	backgroundVar = "BUS3_IN_BACKGROUND"
	// readyFD is where it says that it is ready, by one byte, to the process that started it.
	readyFD = 3
)

func isBackground(a *app) bool { return a.getenv(backgroundVar) != "" }

// exitError is the exit code of a background process that ended before it was ready, and has said why.
type exitError struct{ code int }

// Error says so.
func (e *exitError) Error() string {
	return fmt.Sprintf("the background process ended with code %d", e.code)
}

// startBackground runs the same command again in a process of its own, and returns when that is ready, or how it failed.
// The process stays with its terminal until it is ready, so that it can ask for a passphrase and be interrupted.
func startBackground(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("start in the background: %w", err)
	}
	ready, theirs, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("start in the background: %w", err)
	}
	defer func() { _ = ready.Close() }()
	cmd := exec.Command(self, os.Args[1:]...)
	cmd.Env = append(os.Environ(), backgroundVar+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.ExtraFiles = []*os.File{theirs} // becomes readyFD
	if err := errors.Join(cmd.Start(), theirs.Close()); err != nil {
		return fmt.Errorf("start in the background: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Signal(unix.SIGTERM) })
	defer stop()
	if _, err := io.ReadFull(ready, make([]byte, 1)); err == nil {
		return cmd.Process.Release()
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); errors.As(err, &exit) && exit.ExitCode() > 0 {
		return &exitError{exit.ExitCode()}
	} else if err != nil {
		return fmt.Errorf("wait for the mount: %w", err)
	}
	return errors.New("the background process ended before it was ready")
}

// holdReady keeps the way to the parent from processes that this one starts: the parent waits for its end.
func holdReady(a *app) {
	if isBackground(a) {
		unix.CloseOnExec(readyFD)
	}
}

// becomeDaemon lets go of the terminal, the session and the working directory, and tells the parent that all is ready.
func becomeDaemon() error {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("go to the background: %w", err)
	}
	defer func() { _ = null.Close() }()
	for fd := range 3 {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return fmt.Errorf("go to the background: %w", err)
		}
	}
	_, _ = unix.Setsid() // fails only for who leads a group of processes, and has left its terminal then
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("go to the background: %w", err)
	}
	if _, err := unix.Write(readyFD, []byte{1}); err != nil {
		return fmt.Errorf("tell that the mount is ready: %w", err)
	}
	return unix.Close(readyFD)
}
