package repository

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
)

// Marker is the key of the object that says that a store is taken, and by which repository: "bus3 repository 1 " and
// the ID in hexadecimal, and a newline. It is plain text, and nothing relies on it but messages and Init.
const Marker = "bus3-repository"

const (
	markerText = "bus3 repository 1 "
	maxMarker  = 1 << 10
)

// Init makes a repository in a store that has none, with at least one key, and opens it. A store that does not keep the
// promise of PutNew is refused, with the error of its ProbeConditional.
func Init(ctx context.Context, store Store, c Chunking, keys ...Wrap) (*Repository, error) {
	c = c.orDefault()
	if err := c.Check(); err != nil {
		return nil, err
	}
	if len(keys) == 0 {
		return nil, fmt.Errorf("init %s: %w", store, ErrLastKey)
	}
	if p, ok := store.(prober); ok {
		if err := p.ProbeConditional(ctx); err != nil {
			return nil, fmt.Errorf("init %s: %w", store, err)
		}
	}
	s := secret{chunking: c}
	_, _ = rand.Read(s.master[:]) // never fails
	r := newRepository(store, s)
	objects, err := wrapAll(keys, s) // before the store is claimed: what fails here leaves no trace
	if err != nil {
		return nil, fmt.Errorf("init %s: %w", store, err)
	}
	if err := r.mark(ctx); err != nil {
		return nil, err
	}
	for key, object := range objects {
		if err := store.PutNew(ctx, key, object); err != nil {
			return nil, fmt.Errorf("init %s: %w", store, err)
		}
	}
	return r, nil
}

// wrapAll makes the objects that open the repository, by their keys.
func wrapAll(keys []Wrap, s secret) (map[string][]byte, error) {
	objects := make(map[string][]byte, len(keys))
	for _, w := range keys {
		if objects[w.key] != nil {
			return nil, fmt.Errorf("key %q: %w", w.label, ErrKeyExists)
		}
		object, err := wrapKey(w, s, now())
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", w.label, err)
		}
		objects[w.key] = object
	}
	return objects, nil
}

// mark claims the store. Of two that try at once one gets it. The claim comes before the keys, so that no key in a store
// is ever that of a repository that lost.
func (r *Repository) mark(ctx context.Context) error {
	err := r.store.PutNew(ctx, Marker, []byte(markerText+r.ID().String()+"\n"))
	if !errors.Is(err, s3store.ErrExists) {
		if err != nil {
			return fmt.Errorf("init %s: %w", r.store, err)
		}
		return nil
	}
	found := false
	errStop := errors.New("stop")
	err = r.store.List(ctx, KeysPrefix, "", func(s3store.Object) error { found = true; return errStop })
	if err != nil && !errors.Is(err, errStop) {
		return fmt.Errorf("init %s: %w", r.store, err)
	}
	if !found {
		return fmt.Errorf("init %s: %w, but it has no key: an init was interrupted. If none is running, delete the object %s and try again",
			r.store, ErrRepositoryExists, Marker)
	}
	return fmt.Errorf("init %s: %w", r.store, ErrRepositoryExists)
}

// Open opens the repository with the first of the keys that fits. An identity costs one request. If none fits it is
// ErrWrongKey, or ErrNoRepository where there is none. A wrapped key that is damaged is a *DamageError, unless another
// one opens the repository.
func Open(ctx context.Context, store Store, keys ...Unlock) (*Repository, error) {
	o := opener{store: store}
	for _, try := range []func(context.Context, []Unlock) (*Repository, error){o.identities, o.passphrases} {
		if r, err := try(ctx, keys); r != nil || err != nil {
			return r, err
		}
	}
	if o.damage != nil {
		return nil, o.damage
	}
	if _, err := ReadMarker(ctx, store); err != nil {
		return nil, err
	}
	return nil, fmt.Errorf("open %s: %w", store, ErrWrongKey)
}

// ReadMarker tells which repository a store says it has, without a key: ErrNoRepository if there is none.
func ReadMarker(ctx context.Context, store Store) (id catalog.RepositoryID, err error) {
	data, err := store.Get(ctx, Marker, maxMarker)
	switch {
	case errors.Is(err, s3store.ErrNotExist):
		return id, fmt.Errorf("open %s: %w", store, ErrNoRepository)
	case err != nil:
		return id, fmt.Errorf("open %s: %w", store, err)
	}
	text, ok := strings.CutPrefix(strings.TrimSuffix(string(data), "\n"), markerText)
	if n, err := hex.Decode(id[:], []byte(text[:min(len(text), 2*len(id))])); !ok || err != nil || n != len(id) || len(text) != 2*n {
		return id, &DamageError{Key: Marker, Reason: "it is not the marker of a repository of version 1"}
	}
	return id, nil
}

// opener tries keys. It remembers the first damage that it met.
type opener struct {
	store  Store
	damage error
}

func (o *opener) identities(ctx context.Context, keys []Unlock) (*Repository, error) {
	for _, u := range keys {
		if u.recipient == "" {
			continue
		}
		if r, err := o.try(ctx, recipientKey(u.recipient), u); r != nil || err != nil {
			return r, err
		}
	}
	return nil, nil
}

func (o *opener) passphrases(ctx context.Context, keys []Unlock) (*Repository, error) {
	var passphrases []Unlock
	for _, u := range keys {
		if u.recipient == "" {
			passphrases = append(passphrases, u)
		}
	}
	if len(passphrases) == 0 {
		return nil, nil
	}
	wrapped, err := listKeys(ctx, o.store, passphrasePrefix)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", o.store, err)
	}
	for _, u := range passphrases {
		for _, key := range wrapped {
			if r, err := o.try(ctx, key, u); r != nil || err != nil {
				return r, err
			}
		}
	}
	return nil, nil
}

// try opens the repository with one wrapped key. It returns neither a repository nor an error if that is not the way.
func (o *opener) try(ctx context.Context, key string, u Unlock) (*Repository, error) {
	object, err := o.store.Get(ctx, key, maxKey)
	switch {
	case errors.Is(err, s3store.ErrNotExist):
		return nil, nil
	case errors.Is(err, s3store.ErrTooLarge):
		o.note(key, err)
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("open %s: %w", o.store, err)
	}
	k, err := parseKey(object)
	if err != nil {
		o.note(key, err)
		return nil, nil
	}
	s, err := k.open(u)
	switch {
	case err == nil:
		return newRepository(o.store, s), nil
	case u.recipient == "" && wrongKey(err):
		return nil, nil // another passphrase
	case wrongKey(err): // an object of this name is wrapped for this recipient
		err = errors.New("it is not wrapped for the recipient that its name stands for")
	}
	o.note(key, err)
	return nil, nil
}

func (o *opener) note(key string, err error) {
	if o.damage == nil {
		o.damage = &DamageError{Key: key, Reason: err.Error(), Err: err}
	}
}

// listKeys lists the keys of the objects of wrapped keys.
func listKeys(ctx context.Context, store Store, prefix string) (keys []string, err error) {
	err = store.List(ctx, prefix, "", func(o s3store.Object) error {
		keys = append(keys, o.Key)
		return nil
	})
	return keys, err
}

// now is the time that a key was made, ns since 1970.
func now() int64 { return time.Now().UnixNano() }
