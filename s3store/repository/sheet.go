package repository

import (
	"context"
	"fmt"
	"io"
	"time"

	"filippo.io/age"

	"github.com/bus3/bus3/catalog"
)

// Sheet is what a bare machine needs to restore: what is printed and put into a safe. Identity is a secret.
type Sheet struct {
	Store      string // URL, without credentials
	Repository catalog.RepositoryID
	Identity   string // AGE-SECRET-KEY-1…: the content of a key file
	Recipient  string // its public part
	Label      string
	Created    time.Time
}

// Format keeps the secret out of messages and logs: who wants it names the field.
func (s Sheet) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "recovery sheet of "+s.Repository.String())
}

// Export makes a new identity, adds it to the keys of the repository under that label, and returns the sheet.
func (r *Repository) Export(ctx context.Context, label string) (*Sheet, error) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, fmt.Errorf("make a recovery sheet: %w", err)
	}
	w, err := WrapRecipient(label, id.Recipient().String())
	if err != nil {
		return nil, fmt.Errorf("make a recovery sheet: %w", err)
	}
	if err := r.AddKey(ctx, w); err != nil {
		return nil, err
	}
	return &Sheet{
		Store: r.store.String(), Repository: r.ID(), Identity: id.String(), Recipient: id.Recipient().String(),
		Label: label, Created: time.Now(),
	}, nil
}
