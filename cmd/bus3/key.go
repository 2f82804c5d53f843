package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/bus3/bus3/cmd/internal/show"
	"github.com/bus3/bus3/s3store/repository"
)

// keyCmd are the commands about what opens the repository.
type keyCmd struct {
	List       keyListCmd   `cmd:"" help:"List what opens the repository."`
	Add        keyAddCmd    `cmd:"" help:"Let another passphrase or key open it too."`
	Remove     keyRemoveCmd `cmd:"" help:"Let a passphrase or key no longer open it. The last one stays."`
	RotateWrap keyRotateCmd `cmd:"" help:"Replace a passphrase or key by another one. The master key behind all of them stays."`
	Export     keyExportCmd `cmd:"" help:"Make a recovery sheet: a new key, on paper, from which a bare machine restores."`
}

type keyListCmd struct{}

// Run lists the keys.
func (keyListCmd) Run(ctx context.Context, a *app) error {
	s, err := a.openRepository(ctx, nil)
	if err != nil {
		return err
	}
	all, err := s.repo.ListKeys(ctx)
	if err != nil {
		return err
	}
	if a.JSON {
		return keysJSON(a, all)
	}
	rows := [][]string{{"name", "kind", "created", "label", "recipient"}}
	for _, k := range all {
		if k.Damage != nil {
			rows = append(rows, []string{show.Name(k.Name), "damaged", "", "", show.Name(k.Damage.Error())})
			continue
		}
		rows = append(rows, []string{show.Name(k.Name), show.Name(k.Kind), show.Time(k.Created.UnixNano()), show.Name(k.Label), shortened(k.Recipient)})
	}
	return a.buffered(func(w io.Writer) { _ = show.Table(w, rows) })
}

// shortened is a recipient as far as it tells it from others.
func shortened(recipient string) string {
	const most = 62 // an age recipient has so many
	if len(recipient) > most {
		return show.Name(recipient[:16] + "…" + recipient[len(recipient)-24:])
	}
	if recipient == "" {
		return ""
	}
	return show.Name(recipient)
}

func keysJSON(a *app, all []repository.Key) error {
	type key struct {
		Name      string `json:"name"`
		Kind      string `json:"kind,omitempty"`
		Label     string `json:"label,omitempty"`
		Recipient string `json:"recipient,omitempty"`
		Created   string `json:"created,omitempty"`
		Damage    string `json:"damage,omitempty"`
	}
	out := make([]key, 0, len(all))
	for _, k := range all {
		j := key{Name: k.Name, Kind: k.Kind, Label: k.Label, Recipient: k.Recipient}
		if k.Damage != nil {
			j.Damage = k.Damage.Error()
		} else {
			j.Created = k.Created.UTC().Format("2006-01-02T15:04:05Z")
		}
		out = append(out, j)
	}
	return a.line(out)
}

// newKey says which key is to be added.
type newKey struct {
	Recipient     string `placeholder:"KEY" xor:"new" help:"The public part of a key: age1…, or a line of an authorized_keys file (ssh-ed25519, ssh-rsa)."`
	RecipientFile string `placeholder:"FILE" xor:"new" help:"A file that has it, as ~/.ssh/id_ed25519.pub."`
	Label         string `help:"What the key is called in the list."`
}

// wrap is the key that is asked for: a passphrase if no recipient is named. It comes from
// BUS3_NEW_PASSPHRASE_FILE or the terminal, since the other variables name what opens the repository now.
func (n *newKey) wrap(ctx context.Context, a *app) (repository.Wrap, error) {
	recipient := n.Recipient
	if n.RecipientFile != "" {
		data, err := os.ReadFile(n.RecipientFile)
		if err != nil {
			return repository.Wrap{}, fmt.Errorf("read the recipient: %w", err)
		}
		recipient = string(data)
	}
	if recipient != "" {
		return repository.WrapRecipient(first(n.Label, labelOf(recipient)), withoutComments(recipient))
	}
	p := a.place()
	f := a.finder(&p)
	f.PassphraseFile, f.PassphraseCommand = "", ""
	f.Getenv = func(name string) string {
		if name == "BUS3_PASSPHRASE_FILE" {
			return a.getenv("BUS3_NEW_PASSPHRASE_FILE")
		}
		return ""
	}
	pass, err := f.Passphrase(ctx, "New passphrase: ", true)
	if err != nil {
		return repository.Wrap{}, hint(err, "a new passphrase is typed on a terminal or read from BUS3_NEW_PASSPHRASE_FILE; a key is named with --recipient or --recipient-file")
	}
	return repository.WrapPassphrase(first(n.Label, "passphrase"), pass)
}

// labelOf is the comment of an SSH key, "user@host".
func labelOf(recipient string) string {
	if fields := strings.Fields(withoutComments(recipient)); len(fields) > 2 {
		return strings.Join(fields[2:], " ")
	}
	return "key"
}

// withoutComments takes the comments away that age-keygen and people write into files of recipients.
func withoutComments(recipient string) string {
	var out []string
	for line := range strings.Lines(recipient) {
		if t := strings.TrimSpace(line); t != "" && t[0] != '#' {
			out = append(out, t)
		}
	}
	return strings.Join(out, "\n")
}

type keyAddCmd struct{ newKey }

// Run adds a key.
func (c *keyAddCmd) Run(ctx context.Context, a *app) error {
	s, err := a.openRepository(ctx, nil)
	if err != nil {
		return err
	}
	w, err := c.wrap(ctx, a)
	if err != nil {
		return err
	}
	if err := s.repo.AddKey(ctx, w); err != nil {
		return err
	}
	a.note("Added the key. `bus3 key list` shows all of them.")
	return nil
}

type keyRemoveCmd struct {
	Key string `arg:"" help:"Name or label of the key, from bus3 key list."`
}

// Run removes a key.
func (c *keyRemoveCmd) Run(ctx context.Context, a *app) error {
	s, err := a.openRepository(ctx, nil)
	if err != nil {
		return err
	}
	if err := s.repo.RemoveKey(ctx, c.Key); err != nil {
		return err
	}
	a.note("Removed the key %s. Whoever used it before may have kept what it opened: that cannot be taken back.", show.Name(c.Key))
	return nil
}

type keyRotateCmd struct {
	Key string `arg:"" help:"Name or label of the key to replace, from bus3 key list."`
	newKey
}

// Run replaces a key.
func (c *keyRotateCmd) Run(ctx context.Context, a *app) error {
	s, err := a.openRepository(ctx, nil)
	if err != nil {
		return err
	}
	w, err := c.wrap(ctx, a)
	if err != nil {
		return err
	}
	if err := s.repo.RotateWrap(ctx, c.Key, w); err != nil {
		return err
	}
	a.note("Replaced the key %s.", show.Name(c.Key))
	return nil
}
