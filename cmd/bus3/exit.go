package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/cmd/internal/keys"
	"github.com/bus3/bus3/s3store/repository"
)

// The exit codes. They are part of the interface: see the README.
const (
	exitFailed       = 1
	exitPartial      = 3  // done, but some files could not be read or restored
	exitNoRepository = 10 // there is none, or it is not initialised
	exitLocked       = 11 // another process writes
	exitWrongKey     = 12
	exitInterrupted  = 130
)

var (
	// errPartial ends a command that did its work, but not all of it, and has said so.
	errPartial = errors.New("not everything could be read")
	// errFaults ends a check that found some, and has said so.
	errFaults = errors.New("the check found faults")
	// errUninitialised: what was named is no repository yet.
	errUninitialised = errors.New("not initialised")
)

// exitCode maps what went wrong to the process's exit code. It is the only place that does.
func exitCode(ctx context.Context, err error) int {
	var background *exitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &background):
		return background.code
	case errors.Is(context.Cause(ctx), errInterrupted):
		return exitInterrupted
	case errors.Is(err, repository.ErrNoRepository), errors.Is(err, errUninitialised):
		return exitNoRepository
	case errors.Is(err, catalog.ErrLocked), errors.Is(err, catalog.ErrSuperseded):
		return exitLocked
	case errors.Is(err, repository.ErrWrongKey), errors.Is(err, keys.ErrNone):
		return exitWrongKey
	case errors.Is(err, errPartial):
		return exitPartial
	}
	return exitFailed
}

// fail says what went wrong and returns the exit code. a is nil if things went wrong before there was one.
func (t *terminal) fail(ctx context.Context, a *app, err error) int {
	code := exitCode(ctx, err)
	text := err.Error()
	switch {
	case code == exitInterrupted:
		text = "interrupted; run the same command again to go on"
	case code == exitPartial, errors.Is(err, errFaults), isExitError(err): // all have been explained already
		return code
	}
	if a != nil && a.JSON {
		if t.line(exitMessage{Type: "exit_error", Code: code, Message: text}) == nil {
			return code
		}
	}
	t.say("bus3: %s", text)
	return code
}

func isExitError(err error) bool {
	var e *exitError
	return errors.As(err, &e)
}

// exitMessage is how --json tells of a failure, as restic does.
type exitMessage struct {
	Type    string `json:"message_type"`
	Code    int    `json:"code"`
	Message string `json:"message"`
}

// hint adds to an error what can be done about it.
func hint(err error, format string, args ...any) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w; %s", err, fmt.Sprintf(format, args...))
}
