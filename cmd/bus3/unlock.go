package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/bus3/bus3/cmd/internal/keys"
	"github.com/bus3/bus3/s3store/repository"
)

// finder looks for keys and passphrases where the user said.
func (a *app) finder(p *place) *keys.Finder {
	return &keys.Finder{
		KeyFile: first(a.KeyFile, a.keyFileOfConfig()), Default: p.defaultKey, Getenv: a.getenv,
		PassphraseFile: a.file.PassphraseFile, PassphraseCommand: a.file.PassphraseCommand,
		Terminal: keys.TTY{}, Warn: a.warn,
	}
}

// keyFileOfConfig is the key file that the configuration names, unless the environment, which beats it, has a passphrase.
func (a *app) keyFileOfConfig() string {
	for _, name := range []string{"BUS3_PASSPHRASE", "BUS3_PASSPHRASE_FILE", "BUS3_PASSPHRASE_COMMAND"} {
		if a.getenv(name) != "" {
			return ""
		}
	}
	return a.file.KeyFile
}

// openRepository opens store and repository, not the catalog.
func (a *app) openRepository(ctx context.Context, t *transfer) (*session, error) {
	p := a.place()
	store, err := a.openStore(ctx, &p, t)
	if err != nil {
		return nil, err
	}
	if !p.storeNamed { // nobody should be asked for a passphrase of what is not there
		if _, err := repository.ReadMarker(ctx, store); err != nil {
			return nil, a.missing(&p, err)
		}
	}
	f := a.finder(&p)
	secret, err := f.Find(ctx)
	if errors.Is(err, keys.ErrNone) {
		if _, missing := repository.ReadMarker(ctx, store); missing != nil {
			err = missing
		}
	}
	if err != nil {
		return nil, a.missing(&p, err)
	}
	unlock, err := unlocks(ctx, f, secret)
	if err != nil {
		return nil, err
	}
	repo, err := repository.Open(ctx, store, unlock...)
	if errors.Is(err, repository.ErrWrongKey) {
		return nil, hint(err, "tried %s", secret)
	}
	if err != nil {
		return nil, a.missing(&p, err)
	}
	return &session{place: p, store: store, repo: repo}, nil
}

// missing adds to ErrNoRepository how to make one.
func (a *app) missing(p *place, err error) error {
	switch {
	case !errors.Is(err, repository.ErrNoRepository):
		return err
	case p.storeNamed:
		return hint(err, "`bus3 init%s` makes one", p.flags())
	}
	return hint(err, "`bus3 backup DIR` makes it; or name another one with --store")
}

// unlocks turns a secret into what may open a repository.
func unlocks(ctx context.Context, f *keys.Finder, s *keys.Secret) ([]repository.Unlock, error) {
	if s.IsPassphrase() {
		u, err := repository.UnlockPassphrase(s.Passphrase)
		if err != nil {
			return nil, err
		}
		return []repository.Unlock{u}, nil
	}
	all, err := repository.UnlockFile(s.File, func() ([]byte, error) {
		return f.Passphrase(ctx, "Passphrase of "+s.Path+": ", false)
	})
	if err != nil {
		return nil, fmt.Errorf("read the key file %s: %w", s.Path, err)
	}
	return all, nil
}

// newWraps is what a new repository, or a new key, is wrapped for: the recipients of the key file that was named, which
// is made if it is not there; or a passphrase, typed twice if it must be; or else the default key file. The text says which.
func (a *app) newWraps(ctx context.Context, p *place, label string, typed bool) (wraps []repository.Wrap, what string, err error) {
	f := a.finder(p)
	if typed {
		f.KeyFile, f.Default = "", ""
	}
	if f.KeyFile == "" {
		if !typed {
			f.Terminal = nil
		}
		pass, err := f.Passphrase(ctx, "New passphrase: ", true)
		if err == nil {
			w, err := repository.WrapPassphrase(first(label, "passphrase"), pass)
			return []repository.Wrap{w}, "the passphrase", err
		}
		if !errors.Is(err, keys.ErrNone) || typed {
			return nil, "", err
		}
		f.KeyFile = p.defaultKey
	}
	what = f.KeyFile
	if _, err := os.Lstat(f.KeyFile); errors.Is(err, fs.ErrNotExist) {
		if _, err := keys.Create(f.KeyFile); err != nil {
			return nil, "", err
		}
		what += " (new)"
	}
	s, err := f.Find(ctx)
	if err != nil {
		return nil, "", err
	}
	all, err := unlocks(ctx, f, s)
	if err != nil {
		return nil, "", err
	}
	for i, u := range all {
		w, err := repository.WrapRecipient(numbered(first(label, "key file"), i), u.Recipient())
		if err != nil {
			return nil, "", fmt.Errorf("use the key file %s: %w", s.Path, err)
		}
		wraps = append(wraps, w)
	}
	return wraps, what, nil
}

// numbered tells labels of several keys apart.
func numbered(label string, i int) string {
	if i == 0 {
		return label
	}
	return fmt.Sprintf("%s %d", label, i+1)
}
