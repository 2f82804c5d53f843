package repository

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// sshKey is a new ssh key: the file of its private part, and the line of its public one.
func sshKey(t *testing.T, private any, passphrase string) (file []byte, public string) {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(private, "me@host")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(private, "me@host", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(signer.PublicKey()))) + " me@host\n"
}

func TestSSHKeysOpen(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join("testdata", "id_rsa")) // to make one takes seconds, more or less
	if err != nil {
		t.Fatal(err)
	}
	big, err := ssh.ParseRawPrivateKey(file)
	if err != nil {
		t.Fatal(err)
	}
	for kind, private := range map[string]any{"ssh-ed25519": ed, "ssh-rsa": big} {
		file, public := sshKey(t, private, "")
		w, err := WrapRecipient("work", public)
		if err != nil {
			t.Fatal(err)
		}
		s := newStore(t)
		want := initialised(t, s, w)
		us, err := UnlockFile(file, nil)
		if err != nil {
			t.Fatal(err)
		}
		s.lists.Store(0)
		r, err := Open(t.Context(), s, us...)
		if err != nil || r.ID() != want.ID() || s.lists.Load() != 0 {
			t.Fatalf("%s: %v", kind, err)
		}
		keys, err := r.ListKeys(t.Context())
		if err != nil || len(keys) != 1 || keys[0].Kind != kind || keys[0].Recipient != us[0].Recipient() || keys[0].Label != "work" {
			t.Errorf("%+v, %v", keys, err)
		}
	}
}

func TestSSHKeyAsksForItsPassphrase(t *testing.T) {
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	file, public := sshKey(t, ed, "sesame")
	w, err := WrapRecipient("", public)
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	initialised(t, s, w)
	us, err := UnlockFile(file, func() ([]byte, error) { return []byte("sesame"), nil })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), s, us...); err != nil {
		t.Error(err)
	}
	cancelled := errors.New("cancelled")
	if _, err := UnlockFile(file, func() ([]byte, error) { return nil, cancelled }); !errors.Is(err, cancelled) {
		t.Error(err)
	}
	if _, err := UnlockFile(file, func() ([]byte, error) { return []byte("wrong"), nil }); !errors.Is(err, ErrKeyFile) {
		t.Error(err)
	}
	if _, err := UnlockFile(file, nil); !errors.Is(err, ErrKeyFile) {
		t.Error(err)
	}
}

func TestWhatIsNoKeyIsRefused(t *testing.T) {
	for _, text := range []string{"", "hello", "age1xyz", "AGE-SECRET-KEY-1XYZ", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"} {
		if _, err := UnlockFile([]byte(text), nil); !errors.Is(err, ErrKeyFile) {
			t.Errorf("%q: %v", text, err)
		}
	}
	for _, text := range []string{"", "hello", "age1xyz", "ssh-ed25519 AAAA", "ssh-dss AAAA", "age1\nage1"} {
		if _, err := WrapRecipient("", text); !errors.Is(err, ErrRecipient) {
			t.Errorf("%q: %v", text, err)
		}
	}
	if _, err := WrapPassphrase("", nil); !errors.Is(err, ErrPassphrase) {
		t.Error(err)
	}
	if _, err := UnlockPassphrase(nil); !errors.Is(err, ErrPassphrase) {
		t.Error(err)
	}
}

func TestPassphrasesAreWrappedWithFullWork(t *testing.T) {
	w, err := WrapPassphrase("p", []byte("correct horse"))
	if err != nil {
		t.Fatal(err)
	}
	object, err := wrapKey(w, secret{}, 0)
	if err != nil {
		t.Fatal(err)
	}
	k, err := parseKey(object)
	if err != nil {
		t.Fatal(err)
	}
	stanza := regexp.MustCompile(`\n-> scrypt \S+ (\d+)\n`).FindSubmatch(k.Wrapped)
	if stanza == nil || string(stanza[1]) != "17" {
		t.Errorf("it begins with %q", k.Wrapped[:60])
	}
}

func TestWorkBeyondTheLimitIsRefused(t *testing.T) {
	s := newStore(t)
	_, w := passphrase(t, "p", "x")
	initialised(t, s, w)
	u, err := unlockPassphrase([]byte("x"), 3)
	if err != nil {
		t.Fatal(err)
	}
	var damage *DamageError
	if _, err := Open(t.Context(), s, u); !errors.As(err, &damage) || damage.Key != w.key {
		t.Error(err)
	}
}
