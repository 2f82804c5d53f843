package keys

import (
	"context"
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
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
	defer func() { _ = term.Restore(fd, state) }()
	if err := silence(fd); err != nil { // before the prompt: people type ahead
		return nil, fmt.Errorf("ask for the passphrase: %w", err)
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
		_, _ = fmt.Fprintln(tty)
		return nil, ctx.Err()
	}
}

// silence keeps the terminal from showing what is typed.
func silence(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return err
	}
	t.Lflag &^= unix.ECHO
	return unix.IoctlSetTermios(fd, unix.TCSETS, t)
}
