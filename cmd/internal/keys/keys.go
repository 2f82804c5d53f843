// Package keys finds what opens a repository: the content of a key file or a passphrase, from wherever the user keeps
// it. Neither ever comes from the command line, which everybody on the machine can see.
package keys

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
)

// Secret is what opens a repository. One of its two parts is set.
type Secret struct {
	File       []byte // content of a key file
	Path       string // where File is from, for messages
	Passphrase []byte
}

// IsPassphrase tells whether s is a passphrase.
func (s *Secret) IsPassphrase() bool { return len(s.Passphrase) > 0 }

// String says where s is from, without telling it.
func (s *Secret) String() string {
	if s.IsPassphrase() {
		return "the passphrase"
	}
	return "the key file " + s.Path
}

// ErrNone: the user has told of no key and no passphrase.
var ErrNone = errors.New("no key: name a key file with --key-file or BUS3_KEY_FILE, or give a passphrase by BUS3_PASSPHRASE_FILE, BUS3_PASSPHRASE_COMMAND, BUS3_PASSPHRASE or on a terminal")

// Finder knows the places to look in.
type Finder struct {
	KeyFile string // named by the user; "" if none was
	Default string // the key file of the embedded default, used if it is there and nothing else was said

	Getenv            func(string) string // for BUS3_PASSPHRASE, …_FILE and …_COMMAND
	PassphraseFile    string              // from the configuration
	PassphraseCommand string              // from the configuration

	Terminal Terminal          // asked last; nil: never
	Warn     func(text string) // told of doubtful permissions; nil: nobody is
}

// Terminal asks somebody for a passphrase. Terminal.Ask returns ErrNoTerminal if nobody is there.
type Terminal interface {
	Ask(ctx context.Context, prompt string) ([]byte, error)
}

// maxSecret bounds what is read of a key file or a passphrase: mistaken paths lead to large files.
const maxSecret = 64 << 10

// Find returns the first secret there is: a key file that was named, a passphrase from the environment, one from the configuration,
// the default key file, what is typed on the terminal. ErrNone if there is none of them.
func (f *Finder) Find(ctx context.Context) (*Secret, error) {
	if f.KeyFile != "" {
		return f.read(f.KeyFile)
	}
	if p, err := f.stored(ctx); err != nil || p != nil {
		return p, err
	}
	if f.Default != "" {
		s, err := f.read(f.Default)
		if !errors.Is(err, fs.ErrNotExist) {
			return s, err
		}
	}
	p, err := f.ask(ctx, "Passphrase of the repository: ")
	if errors.Is(err, ErrNoTerminal) {
		return nil, ErrNone
	}
	return p, err
}

// Passphrase returns the passphrase that protects a key file, say, or is to be added to a repository: like Find without key files.
// If it has to be typed and confirm is set, it has to be typed twice.
func (f *Finder) Passphrase(ctx context.Context, prompt string, confirm bool) ([]byte, error) {
	if p, err := f.stored(ctx); err != nil || p != nil {
		if err != nil {
			return nil, err
		}
		return p.Passphrase, nil
	}
	p, err := f.ask(ctx, prompt)
	if errors.Is(err, ErrNoTerminal) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, err
	}
	if confirm {
		again, err := f.ask(ctx, "Once more: ")
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(p.Passphrase, again.Passphrase) {
			return nil, errors.New("the two passphrases differ; nothing was changed")
		}
	}
	return p.Passphrase, nil
}

// stored is a passphrase that need not be typed; nil if there is none.
func (f *Finder) stored(ctx context.Context) (*Secret, error) {
	if p := f.getenv("BUS3_PASSPHRASE"); p != "" {
		return &Secret{Passphrase: []byte(p)}, nil
	}
	if path := f.getenv("BUS3_PASSPHRASE_FILE"); path != "" {
		return f.readPassphrase(path)
	}
	if command := f.getenv("BUS3_PASSPHRASE_COMMAND"); command != "" {
		return runPassphrase(ctx, command)
	}
	if f.PassphraseFile != "" {
		return f.readPassphrase(f.PassphraseFile)
	}
	if f.PassphraseCommand != "" {
		return runPassphrase(ctx, f.PassphraseCommand)
	}
	return nil, nil
}

func (f *Finder) getenv(name string) string {
	if f.Getenv == nil {
		return ""
	}
	return f.Getenv(name)
}

func (f *Finder) ask(ctx context.Context, prompt string) (*Secret, error) {
	if f.Terminal == nil {
		return nil, ErrNoTerminal
	}
	p, err := f.Terminal.Ask(ctx, prompt)
	if err != nil {
		return nil, err
	}
	return passphrase(p, "what was typed")
}

// read returns a key file's content.
func (f *Finder) read(path string) (*Secret, error) {
	data, err := f.readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fmt.Errorf("read the key file: %s is empty", path)
	}
	return &Secret{File: data, Path: path}, nil
}

func (f *Finder) readPassphrase(path string) (*Secret, error) {
	data, err := f.readFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the passphrase: %w", err)
	}
	return passphrase(data, path)
}

// readFile reads a secret file, and warns if others can.
func (f *Finder) readFile(path string) ([]byte, error) {
	h, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = h.Close() }()
	// A key on a borrowed stick may have any mode, and must still restore: this is no reason to refuse it.
	if info, err := h.Stat(); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o077 != 0 && f.Warn != nil {
		f.Warn(fmt.Sprintf("others may read or write %s; chmod 600 takes that from them", path))
	}
	data, err := io.ReadAll(io.LimitReader(h, maxSecret+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxSecret {
		return nil, fmt.Errorf("%s is larger than %d bytes; that is no key and no passphrase", path, maxSecret)
	}
	return data, nil
}

// runPassphrase runs a command in the shell; what it prints is the passphrase. What it says on standard error, the user
// sees, and it may ask on the terminal.
func runPassphrase(ctx context.Context, command string) (*Secret, error) {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	cmd.Stdin, cmd.Stderr = os.Stdin, os.Stderr
	out := &limited{}
	cmd.Stdout = out
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("run the passphrase command: %w", err)
	}
	return passphrase(out.Bytes(), "the passphrase command's output")
}

// limited keeps what is written to it, and fails beyond maxSecret.
type limited struct{ bytes.Buffer }

// Write implements io.Writer.
func (l *limited) Write(p []byte) (int, error) {
	if l.Len()+len(p) > maxSecret {
		return 0, errors.New("it prints too much")
	}
	return l.Buffer.Write(p)
}

// passphrase takes one line end away; a passphrase must not be empty or have several lines.
func passphrase(data []byte, from string) (*Secret, error) {
	p := strings.TrimSuffix(strings.TrimSuffix(string(data), "\n"), "\r")
	switch {
	case p == "":
		return nil, fmt.Errorf("%s has no passphrase", from)
	case strings.ContainsAny(p, "\n\r\x00"):
		return nil, fmt.Errorf("%s has more than one line; a passphrase is one", from)
	}
	return &Secret{Passphrase: []byte(p)}, nil
}
