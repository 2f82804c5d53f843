// Package repository is what a store has besides packs: the keys and the journal, and what binds all of it together.
//
// The master key is in the store only wrapped, once for each passphrase or recipient (package age), as keys/…; the
// journal is one sealed object for each batch. The object "bus3-repository" marks the store as taken.
//
// # What is protected, and what is not
//
// Whoever can read the store learns sizes and times of objects. Whoever can write to it can delete or exchange
// objects, which is noticed when they are read, because each is authenticated for its place and each part of the
// journal names the digest of its predecessor; only the newest parts can be taken away unseen, by someone who has no
// catalog that knows better.
//
// To wrap a key for a recipient takes only the recipient, and those of ssh keys are public. Someone who writes to the
// store could therefore put a key of another repository, his own, in the place of a wrapped key. The ID of a
// repository is derived from its master key, so such a repository has another ID: a catalog or a cache that belongs to
// the right one refuses it (catalog.ErrOtherRepository), and recovery sheets tell the ID to compare. A machine that has
// nothing but an ssh key and the store's URL cannot tell; use a passphrase, or an age key that nobody else has seen.
package repository

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/seal"
)

var (
	// ErrNoRepository: there is no repository in the store (exit code 10).
	ErrNoRepository = errors.New("there is no repository in this store")
	// ErrRepositoryExists: the store has a repository already.
	ErrRepositoryExists = errors.New("there is a repository in this store already")
	// ErrWrongKey: none of the keys given opens the repository (exit code 12).
	ErrWrongKey = errors.New("wrong key: none of the keys given opens this repository")
	// ErrTaken: this part of the journal exists already. For part 0: the scan's number is claimed.
	ErrTaken = errors.New("this part of the journal is written already")
	// ErrLastKey: nobody could open the repository without this key.
	ErrLastKey = errors.New("this is the last key of the repository")
	// ErrKeyExists: the key opens the repository already.
	ErrKeyExists = errors.New("this key opens the repository already")
	// ErrNoKey: the repository has no such key.
	ErrNoKey = errors.New("no such key")
)

// DamageError says that an object is not what it must be. Unwrap gives the cause: s3store.ErrNotExist if the object is
// missing.
type DamageError struct {
	Key    string // of the object
	Reason string // in a user's words
	Err    error  // the cause, or nil
}

func (e *DamageError) Error() string { return fmt.Sprintf("object %s is damaged: %s", e.Key, e.Reason) }

// Unwrap is the cause.
func (e *DamageError) Unwrap() error { return e.Err }

// Store is what a repository needs of a store: the contracts are those of s3store.Store.
type Store interface {
	Put(ctx context.Context, key string, body []byte) error
	PutNew(ctx context.Context, key string, body []byte) error
	Get(ctx context.Context, key string, limit int64) ([]byte, error)
	List(ctx context.Context, prefix, after string, fn func(s3store.Object) error) error
	Delete(ctx context.Context, key string) error
	String() string
}

// prober is a store that can tell whether it keeps the promise of PutNew.
type prober interface {
	ProbeConditional(ctx context.Context) error
}

// Repository is an open repository. It is safe for concurrent use.
type Repository struct {
	store  Store
	secret secret
	keys   *seal.Keys
}

// secret is what a wrapped key holds.
type secret struct {
	master   seal.Master
	chunking Chunking
}

func newRepository(store Store, s secret) *Repository {
	return &Repository{store: store, secret: s, keys: seal.NewKeys(s.master, s.master.Repository())}
}

// ID names the repository for ever.
func (r *Repository) ID() catalog.RepositoryID { return r.keys.Repository() }

// Keys are the keys that everything in the repository is sealed and named with.
func (r *Repository) Keys() *seal.Keys { return r.keys }

// Chunking is how the repository's files are cut.
func (r *Repository) Chunking() Chunking { return r.secret.chunking }

// Store is where the repository is.
func (r *Repository) Store() Store { return r.store }

// Format prints the URL of the store and nothing else, whatever the verb: r holds the master key.
func (r *Repository) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, r.String()) }

// String is the URL of the store, without secrets.
func (r *Repository) String() string { return r.store.String() }
