package repository

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

// KeysPrefix is what the keys of all wrapped keys begin with. A passphrase's goes on with "p-" and 16 random bytes in
// hexadecimal, that of a recipient with "r-" and the beginning of a digest of the recipient: who has the identity reads
// one object, without a listing.
const KeysPrefix = "keys/"

const (
	passphrasePrefix = KeysPrefix + "p-"
	recipientPrefix  = KeysPrefix + "r-"
)

// The work of turning a passphrase into a key, as the exponent of scrypt's N. It takes 2^(n+10) bytes of memory and, for
// 17, a third of a second. 17 is the least that OWASP recommends, and its 128 MiB leave room in the 200 MiB that a
// backup may use; age's own default, 18, takes 256 MiB. Wrapped keys of others are refused beyond maxWorkFactor.
const (
	workFactor    = 17
	maxWorkFactor = 18
)

// ErrPassphrase: a passphrase cannot be so.
var ErrPassphrase = errors.New("the passphrase is empty")

// ErrRecipient: neither the public part of an age key nor that of an ssh key that can be used.
var ErrRecipient = errors.New("no recipient: it must be age1…, ssh-ed25519 … or ssh-rsa …")

// Wrap is a way to open a repository that is to be added to it.
type Wrap struct {
	label     string
	kind      string // as in Key.Kind
	recipient string // canonical; "" for a passphrase
	key       string // of the object
	to        age.Recipient
}

// Format keeps a passphrase out of messages and logs: it prints the kind and the recipient.
func (w Wrap) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, strings.TrimSpace(w.kind+" "+w.recipient))
}

// WrapPassphrase is for whoever knows the passphrase.
func WrapPassphrase(label string, passphrase []byte) (Wrap, error) {
	return wrapPassphrase(label, passphrase, workFactor)
}

func wrapPassphrase(label string, passphrase []byte, work int) (Wrap, error) {
	to, err := age.NewScryptRecipient(string(passphrase))
	if err != nil {
		return Wrap{}, ErrPassphrase
	}
	to.SetWorkFactor(work)
	var name [16]byte
	_, _ = rand.Read(name[:]) // never fails
	return Wrap{label: label, kind: "passphrase", key: passphrasePrefix + hex.EncodeToString(name[:]), to: to}, nil
}

// WrapRecipient is for whoever has the identity of the recipient: age1… or a line of an authorized_keys file, ssh-ed25519
// or ssh-rsa.
func WrapRecipient(label, recipient string) (Wrap, error) {
	recipient = strings.TrimSpace(recipient)
	if strings.HasPrefix(recipient, "ssh-") {
		return wrapSSH(label, recipient)
	}
	to, err := age.ParseRecipients(strings.NewReader(recipient))
	if err != nil || len(to) != 1 {
		return Wrap{}, ErrRecipient
	}
	s, ok := to[0].(fmt.Stringer)
	if !ok {
		return Wrap{}, ErrRecipient
	}
	kind := "age"
	if _, classic := to[0].(*age.X25519Recipient); !classic {
		kind = "age-pq"
	}
	return Wrap{label: label, kind: kind, recipient: s.String(), key: recipientKey(s.String()), to: to[0]}, nil
}

func wrapSSH(label, line string) (Wrap, error) {
	public, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return Wrap{}, fmt.Errorf("%w: %v", ErrRecipient, err)
	}
	recipient := sshRecipient(public)
	to, err := agessh.ParseRecipient(recipient)
	if err != nil {
		return Wrap{}, fmt.Errorf("%w: %v", ErrRecipient, err)
	}
	return Wrap{label: label, kind: public.Type(), recipient: recipient, key: recipientKey(recipient), to: to}, nil
}

// sshRecipient is the canonical form of an ssh public key: type and base64, without a comment.
func sshRecipient(k ssh.PublicKey) string {
	return k.Type() + " " + base64.StdEncoding.EncodeToString(k.Marshal())
}

// recipientKey is the key of the object that is wrapped for a recipient.
func recipientKey(recipient string) string {
	sum := sha256.Sum256([]byte("bus3 key\n" + recipient))
	return recipientPrefix + hex.EncodeToString(sum[:16])
}
