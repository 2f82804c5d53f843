package repository

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

// ErrKeyFile: the content of a key file is neither age identities nor an ssh private key.
var ErrKeyFile = errors.New("no key file: it must hold age identities (AGE-SECRET-KEY-1…) or an OpenSSH private key, ed25519 or RSA")

// Unlock is something that may open a repository: an identity, or a passphrase. It prints as what it is, without the
// secret.
type Unlock struct {
	recipient string // canonical; "" for a passphrase
	identity  age.Identity
}

// Format keeps the secret out of messages and logs.
func (u Unlock) Format(f fmt.State, _ rune) {
	if u.recipient == "" {
		_, _ = io.WriteString(f, "passphrase")
		return
	}
	_, _ = io.WriteString(f, "identity of "+u.recipient)
}

// Recipient is the public part of an identity, what WrapRecipient takes; "" for a passphrase.
func (u Unlock) Recipient() string { return u.recipient }

// UnlockPassphrase opens what WrapPassphrase wrapped.
func UnlockPassphrase(passphrase []byte) (Unlock, error) {
	return unlockPassphrase(passphrase, maxWorkFactor)
}

func unlockPassphrase(passphrase []byte, maxWork int) (Unlock, error) {
	id, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return Unlock{}, ErrPassphrase
	}
	id.SetMaxWorkFactor(maxWork)
	return Unlock{identity: id}, nil
}

// UnlockFile gives the identities in a key file: one or more age identities, as age-keygen writes them, or one ssh
// private key. If that has a passphrase of its own, ask is called for it; nil if nobody can be asked.
func UnlockFile(data []byte, ask func() ([]byte, error)) ([]Unlock, error) {
	if bytes.Contains(data, []byte("-----BEGIN")) {
		u, err := unlockSSH(data, ask)
		if err != nil {
			return nil, err
		}
		return []Unlock{u}, nil
	}
	ids, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil {
		return nil, ErrKeyFile // the cause may quote a line, which may be a secret
	}
	var out []Unlock
	for _, id := range ids {
		switch id := id.(type) {
		case *age.X25519Identity:
			out = append(out, Unlock{recipient: id.Recipient().String(), identity: id})
		case *age.HybridIdentity:
			out = append(out, Unlock{recipient: id.Recipient().String(), identity: id})
		default:
			return nil, ErrKeyFile
		}
	}
	return out, nil
}

func unlockSSH(data []byte, ask func() ([]byte, error)) (Unlock, error) {
	private, err := ssh.ParseRawPrivateKey(data)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		if private, err = unlockLocked(data, ask); err != nil {
			return Unlock{}, err
		}
	}
	if err != nil {
		return Unlock{}, ErrKeyFile
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		return Unlock{}, ErrKeyFile
	}
	id, err := sshIdentity(private)
	if err != nil {
		return Unlock{}, err
	}
	return Unlock{recipient: sshRecipient(signer.PublicKey()), identity: id}, nil
}

func unlockLocked(data []byte, ask func() ([]byte, error)) (any, error) {
	if ask == nil {
		return nil, fmt.Errorf("%w: it is protected by a passphrase, and nobody can be asked for it", ErrKeyFile)
	}
	passphrase, err := ask()
	if err != nil {
		return nil, fmt.Errorf("passphrase of the key file: %w", err)
	}
	private, err := ssh.ParseRawPrivateKeyWithPassphrase(data, passphrase)
	if err != nil {
		return nil, fmt.Errorf("%w: its passphrase is wrong", ErrKeyFile)
	}
	return private, nil
}

func sshIdentity(private any) (age.Identity, error) {
	switch k := private.(type) {
	case *ed25519.PrivateKey:
		return agessh.NewEd25519Identity(*k)
	case ed25519.PrivateKey:
		return agessh.NewEd25519Identity(k)
	case *rsa.PrivateKey:
		return agessh.NewRSAIdentity(k)
	}
	return nil, ErrKeyFile
}

// wrongKey tells whether err says that an identity is not the one something was wrapped for.
func wrongKey(err error) bool {
	var none *age.NoIdentityMatchError
	return errors.As(err, &none)
}
