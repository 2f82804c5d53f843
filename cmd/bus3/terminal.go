package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"sync"

	"golang.org/x/term"

	"github.com/bus3/bus3/cmd/internal/show"
)

// terminal is where a run of bus3 is seen from.
type terminal struct {
	out, err    io.Writer
	interactive bool // err is a terminal: progress can be shown there
	getenv      func(string) string
	mu          sync.Mutex // for lines of several goroutines
}

func newTerminal() *terminal {
	return &terminal{out: os.Stdout, err: os.Stderr, interactive: term.IsTerminal(int(os.Stderr.Fd())), getenv: os.Getenv}
}

// say writes a line for people, on standard error so that it does not mix with what programs read.
func (t *terminal) say(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, _ = fmt.Fprintln(t.err, show.Line(fmt.Sprintf(format, args...)))
}

// note is say, unless -q was given.
func (a *app) note(format string, args ...any) {
	if !a.Quiet {
		a.say(format, args...)
	}
}

// warn is for what does not keep a command from working but should be known.
func (a *app) warn(text string) { a.say("warning: %s", text) }

// line writes v as one line of JSON to standard output.
func (t *terminal) line(v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("write JSON: %w", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, err := t.out.Write(append(b, '\n')); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}
