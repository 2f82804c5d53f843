package keys

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/term"
)

// ErrNoTerminal: there is nobody to ask.
var ErrNoTerminal = errors.New("there is no terminal to ask for a passphrase on")

// TTY is the terminal that controls the process.
type TTY struct{}

// Ask prints prompt and reads one line without showing it. The terminal's state is restored whatever happens, also when
// ctx ends.
func (TTY) Ask(ctx context.Context, prompt string) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, ErrNoTerminal
	}
	defer func() { _ = tty.Close() }()
	fd := int(tty.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return nil, ErrNoTerminal
	}
	if _, err := fmt.Fprint(tty, prompt); err != nil {
		return nil, fmt.Errorf("ask for the passphrase: %w", err)
	}
	type answer struct {
		line []byte
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := term.ReadPassword(fd)
		got <- answer{line, err}
	}()
	select {
	case a := <-got:
		_, _ = fmt.Fprintln(tty)
		if a.err != nil {
			return nil, fmt.Errorf("ask for the passphrase: %w", a.err)
		}
		return a.line, nil
	case <-ctx.Done():
		// The reader stays behind; the process is about to end.
		_ = term.Restore(fd, state)
		_, _ = fmt.Fprintln(tty)
		return nil, ctx.Err()
	}
}
