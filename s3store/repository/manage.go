package repository

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bus3/bus3/s3store"
)

// Key is a way to open the repository.
type Key struct {
	Name      string // of the object, without KeysPrefix: what commands call it
	Label     string
	Kind      string // "passphrase", "age", "age-pq", "ssh-ed25519" or "ssh-rsa"
	Recipient string // public part; "" for a passphrase
	Created   time.Time
	Damage    error // a *DamageError if the object cannot be used; then the fields above are empty but for Name
}

// AddKey makes the repository open for w too; ErrKeyExists if it is.
func (r *Repository) AddKey(ctx context.Context, w Wrap) error {
	object, err := wrapKey(w, r.secret, now())
	if err != nil {
		return fmt.Errorf("add key %q: %w", w.label, err)
	}
	switch err := r.store.PutNew(ctx, w.key, object); {
	case errors.Is(err, s3store.ErrExists):
		return fmt.Errorf("add key %q: %w", w.label, ErrKeyExists)
	case err != nil:
		return fmt.Errorf("add key %q: %w", w.label, err)
	}
	return nil
}

// ListKeys lists what opens the repository, damaged objects included, in the order of their names.
func (r *Repository) ListKeys(ctx context.Context) ([]Key, error) {
	names, err := listKeys(ctx, r.store, KeysPrefix)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", err)
	}
	var keys []Key
	for _, name := range names {
		k, _, err := r.readKey(ctx, name)
		if errors.Is(err, s3store.ErrNotExist) {
			continue // removed since it was listed
		}
		if err != nil {
			return nil, fmt.Errorf("list keys: %w", err)
		}
		keys = append(keys, k)
	}
	return keys, nil
}

// readKey reads what an object says about itself. Damage is told in the Key.
func (r *Repository) readKey(ctx context.Context, key string) (k Key, object []byte, err error) {
	k.Name = strings.TrimPrefix(key, KeysPrefix)
	object, err = r.store.Get(ctx, key, maxKey)
	if err != nil && !errors.Is(err, s3store.ErrTooLarge) {
		return k, nil, err
	}
	about, err := r.about(key, object)
	if err != nil {
		k.Damage = &DamageError{Key: key, Reason: err.Error(), Err: err}
		return k, object, nil
	}
	k.Label, k.Kind, k.Recipient = string(about.Label), about.Kind, about.Recipient
	k.Created = time.Unix(0, about.Created)
	return k, object, nil
}

func (r *Repository) about(key string, object []byte) (*wireAbout, error) {
	k, err := parseKey(object)
	if err != nil {
		return nil, err
	}
	return k.about(r.keys, key)
}

// RemoveKey removes a key, named by its name or by its label if only one key has that. The last sound key stays:
// ErrLastKey; also when somebody removes another one at the same moment. Removing does not take back what somebody
// may have copied: who has had the wrapped key and what opens it has the master key.
func (r *Repository) RemoveKey(ctx context.Context, ref string) error {
	key, err := r.find(ctx, ref)
	if err != nil {
		return fmt.Errorf("remove key %q: %w", ref, err)
	}
	if err := r.remove(ctx, key); err != nil {
		return fmt.Errorf("remove key %q: %w", ref, err)
	}
	return nil
}

func (r *Repository) remove(ctx context.Context, key Key) error {
	if err := r.othersThan(ctx, key); err != nil {
		return err
	}
	object, err := r.store.Get(ctx, KeysPrefix+key.Name, maxKey)
	if errors.Is(err, s3store.ErrNotExist) {
		return ErrNoKey
	}
	if err != nil && key.Damage == nil {
		return err
	}
	if err := r.store.Delete(ctx, KeysPrefix+key.Name); err != nil {
		return err
	}
	if err := r.othersThan(ctx, key); err != nil && key.Damage == nil {
		return errors.Join(err, r.store.Put(ctx, KeysPrefix+key.Name, object)) // put it back: nobody must be locked out
	}
	return nil
}

// othersThan tells whether there is a sound key besides that one.
func (r *Repository) othersThan(ctx context.Context, key Key) error {
	keys, err := r.ListKeys(ctx)
	if err != nil {
		return err
	}
	for i := range keys {
		if keys[i].Name != key.Name && keys[i].Damage == nil {
			return nil
		}
	}
	return ErrLastKey
}

// RotateWrap replaces a key by another one, of the same master key: a new passphrase for an old one. What the old one
// opened is not encrypted anew.
func (r *Repository) RotateWrap(ctx context.Context, ref string, w Wrap) error {
	old, err := r.find(ctx, ref)
	if err != nil {
		return fmt.Errorf("replace key %q: %w", ref, err)
	}
	if w.key == KeysPrefix+old.Name { // the same recipient: a new wrap in the place of the old one
		object, err := wrapKey(w, r.secret, now())
		if err == nil {
			err = r.store.Put(ctx, w.key, object)
		}
		if err != nil {
			return fmt.Errorf("replace key %q: %w", ref, err)
		}
		return nil
	}
	if err := r.AddKey(ctx, w); err != nil {
		return err
	}
	if err := r.remove(ctx, old); err != nil {
		return fmt.Errorf("replace key %q: the new one is added, but the old one stays: %w", ref, err)
	}
	return nil
}

// find is the key with that name, or with that label if only one has it.
func (r *Repository) find(ctx context.Context, ref string) (Key, error) {
	keys, err := r.ListKeys(ctx)
	if err != nil {
		return Key{}, err
	}
	var found []Key
	for _, k := range keys {
		if k.Name == ref {
			return k, nil
		}
		if k.Damage == nil && k.Label == ref {
			found = append(found, k)
		}
	}
	switch len(found) {
	case 0:
		return Key{}, ErrNoKey
	case 1:
		return found[0], nil
	}
	return Key{}, fmt.Errorf("%w: %d keys have that label; use the name", ErrNoKey, len(found))
}
