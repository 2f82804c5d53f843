package keys

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
)

type typed []string

func (t *typed) Ask(context.Context, string) ([]byte, error) {
	if len(*t) == 0 {
		return nil, ErrNoTerminal
	}
	line := (*t)[0]
	*t = (*t)[1:]
	return []byte(line), nil
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func env(pairs ...string) func(string) string {
	return func(name string) string {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1]
			}
		}
		return ""
	}
}

func TestWhereASecretIsLookedFor(t *testing.T) {
	key, other, words := file(t, "KEY\n"), file(t, "OTHER\n"), file(t, "from a file\n")
	for _, c := range []struct {
		name   string
		finder Finder
		want   string
	}{
		{"a named key file beats all", Finder{KeyFile: key, Default: other, Getenv: env("BUS3_PASSPHRASE", "pw0rd")}, "KEY\n"},
		{"then the environment", Finder{Default: other, Getenv: env("BUS3_PASSPHRASE", "pw0rd", "BUS3_PASSPHRASE_FILE", words)}, "pw0rd"},
		{"a file", Finder{Default: other, Getenv: env("BUS3_PASSPHRASE_FILE", words, "BUS3_PASSPHRASE_COMMAND", "echo c")}, "from a file"},
		{"a command", Finder{Default: other, Getenv: env("BUS3_PASSPHRASE_COMMAND", "echo 'from  a command'"), PassphraseFile: words}, "from  a command"},
		{"the configuration's file", Finder{Default: other, Getenv: env(), PassphraseFile: words, PassphraseCommand: "echo c"}, "from a file"},
		{"the configuration's command", Finder{Default: other, PassphraseCommand: "echo c"}, "c"},
		{"the default key file", Finder{Default: other, Terminal: &typed{"t"}}, "OTHER\n"},
		{"the terminal, at last", Finder{Default: filepath.Join(t.TempDir(), "absent"), Terminal: &typed{"by hand"}}, "by hand"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := c.finder.Find(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if text := string(got.File) + string(got.Passphrase); text != c.want {
				t.Errorf("found %q, want %q", text, c.want)
			}
			if s := got.String(); strings.Contains(s, c.want) {
				t.Errorf("%q tells the secret", s)
			}
		})
	}
}

func TestNothingFoundIsSaidClearly(t *testing.T) {
	for _, f := range []Finder{{}, {Terminal: &typed{}}, {Default: "/nonexistent/key"}} {
		if _, err := f.Find(t.Context()); !errors.Is(err, ErrNone) {
			t.Errorf("got %v, want ErrNone", err)
		}
		if _, err := f.Passphrase(t.Context(), "", true); !errors.Is(err, ErrNone) {
			t.Errorf("got %v, want ErrNone", err)
		}
	}
}

func TestUselessSecretsAreRefused(t *testing.T) {
	for name, f := range map[string]Finder{
		"key file not there":      {KeyFile: "/nonexistent/key"},
		"key file empty":          {KeyFile: file(t, " \n")},
		"key file too large":      {KeyFile: file(t, strings.Repeat("x", maxSecret+1))},
		"passphrase empty":        {Getenv: env("BUS3_PASSPHRASE_FILE", file(t, "\n"))},
		"passphrase of two lines": {Getenv: env("BUS3_PASSPHRASE_FILE", file(t, "a\nb\n"))},
		"command fails":           {PassphraseCommand: "echo secret; exit 3"},
		"command prints nothing":  {PassphraseCommand: "true"},
		"command prints a lot":    {PassphraseCommand: "head -c 100000 /dev/zero"},
	} {
		t.Run(name, func(t *testing.T) {
			if s, err := f.Find(t.Context()); err == nil {
				t.Errorf("found %+v", s)
			} else if strings.Contains(err.Error(), "secret") {
				t.Errorf("%q tells what the command printed", err)
			}
		})
	}
}

func TestANewPassphraseIsTypedTwice(t *testing.T) {
	f := Finder{Terminal: &typed{"a", "a"}}
	if got, err := f.Passphrase(t.Context(), "", true); err != nil || string(got) != "a" {
		t.Errorf("got %q, %v", got, err)
	}
	f = Finder{Terminal: &typed{"a", "b"}}
	if got, err := f.Passphrase(t.Context(), "", true); err == nil {
		t.Errorf("two different ones gave %q", got)
	}
}

func TestReadableKeysAreWarnedOfAndUsed(t *testing.T) {
	path := file(t, "KEY")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	var warned string
	f := Finder{KeyFile: path, Warn: func(text string) { warned = text }}
	if _, err := f.Find(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(warned, path) {
		t.Errorf("warned of %q", warned)
	}
}

func TestCreatedKeysAreAgeIdentitiesForTheUserAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a", "b", "key.txt")
	recipient, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	ids, err := age.ParseIdentities(bytes.NewReader(text))
	if err != nil || len(ids) != 1 {
		t.Fatalf("%d identities, %v", len(ids), err)
	}
	if got := ids[0].(*age.X25519Identity).Recipient().String(); got != recipient {
		t.Errorf("the file's recipient is %s, want %s", got, recipient)
	}
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("a second one: %v, want fs.ErrExist", err)
	}
	if again, err := os.ReadFile(path); err != nil || !bytes.Equal(text, again) {
		t.Errorf("the file was touched: %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files are left, %v", len(left), err)
	}
}
