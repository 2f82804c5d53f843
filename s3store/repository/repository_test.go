package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"filippo.io/age"

	"github.com/bus3/bus3/s3store"
)

// store is a directory store that counts the requests that it gets.
type store struct {
	s3store.Store
	gets, lists, puts atomic.Int64
}

func newStore(t *testing.T) *store {
	t.Helper()
	s, err := s3store.Open(t.Context(), "file://"+t.TempDir(), s3store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return &store{Store: s}
}

func (s *store) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	s.gets.Add(1)
	return s.Store.Get(ctx, key, limit)
}

func (s *store) List(ctx context.Context, prefix, after string, fn func(s3store.Object) error) error {
	s.lists.Add(1)
	return s.Store.List(ctx, prefix, after, fn)
}

func (s *store) PutNew(ctx context.Context, key string, body []byte) error {
	s.puts.Add(1)
	return s.Store.PutNew(ctx, key, body)
}

// identity is a new age key: what opens, and what is wrapped for it.
func identity(t *testing.T, label string) (Unlock, Wrap) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	u, err := UnlockFile([]byte("# a comment\n"+id.String()+"\n"), nil)
	if err != nil || len(u) != 1 {
		t.Fatalf("%d identities, %v", len(u), err)
	}
	w, err := WrapRecipient(label, u[0].Recipient())
	if err != nil {
		t.Fatal(err)
	}
	return u[0], w
}

// passphrase is a passphrase that costs little to try.
func passphrase(t *testing.T, label, text string) (Unlock, Wrap) {
	t.Helper()
	u, err := UnlockPassphrase([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	w, err := wrapPassphrase(label, []byte(text), 4)
	if err != nil {
		t.Fatal(err)
	}
	return u, w
}

func initialised(t *testing.T, s Store, keys ...Wrap) *Repository {
	t.Helper()
	r, err := Init(t.Context(), s, Chunking{}, keys...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestIdentityOpensWithOneRequest(t *testing.T) {
	s := newStore(t)
	u, w := identity(t, "laptop")
	_, other := identity(t, "other")
	want := initialised(t, s, other, w)
	s.gets.Store(0)
	s.lists.Store(0)
	r, err := Open(t.Context(), s, u)
	if err != nil {
		t.Fatal(err)
	}
	if r.ID() != want.ID() || r.Chunking() != DefaultChunking() || r.Keys().ChunkingKey() != want.Keys().ChunkingKey() {
		t.Error("another repository was opened")
	}
	if s.gets.Load() != 1 || s.lists.Load() != 0 {
		t.Errorf("%d GETs and %d listings", s.gets.Load(), s.lists.Load())
	}
}

func TestEveryKindOfKeyOpens(t *testing.T) {
	s := newStore(t)
	u, w := identity(t, "age")
	p1, wp1 := passphrase(t, "first", "one")
	p2, wp2 := passphrase(t, "second", "two")
	want := initialised(t, s, w, wp1, wp2)
	wrong, _ := passphrase(t, "", "three")
	stranger, _ := identity(t, "")
	for name, keys := range map[string][]Unlock{"age": {u}, "first": {p1}, "second": {p2}, "the last of many": {wrong, stranger, p2}} {
		if r, err := Open(t.Context(), s, keys...); err != nil || r.ID() != want.ID() {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, keys := range map[string][]Unlock{"passphrase": {wrong}, "identity": {stranger}, "none": nil} {
		if _, err := Open(t.Context(), s, keys...); !errors.Is(err, ErrWrongKey) {
			t.Errorf("wrong %s: %v", name, err)
		}
	}
}

func TestChunkingIsKept(t *testing.T) {
	s := newStore(t)
	u, w := identity(t, "")
	if _, err := Init(t.Context(), s, Chunking{Fixed: 64 << 20}, w); err != nil {
		t.Fatal(err)
	}
	if r, err := Open(t.Context(), s, u); err != nil || r.Chunking() != (Chunking{Fixed: 64 << 20}) {
		t.Errorf("%v", err)
	}
	for _, c := range []Chunking{{Fixed: 1}, {Fixed: 1 << 30}, {Fixed: -5}, {Min: 1 << 20}, {Min: 1 << 20, Normal: 1 << 20, Max: 2 << 20}, {Min: 1 << 20, Normal: 2 << 20, Max: 1 << 30}, {Fixed: 1 << 20, Max: 1}, {Min: 300 << 10, Normal: 600 << 10, Max: 2400 << 10}} {
		if _, err := Init(t.Context(), newStore(t), c, w); !errors.Is(err, ErrChunking) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestEmptyStoreHasNoRepository(t *testing.T) {
	u, w := identity(t, "")
	p, _ := passphrase(t, "", "x")
	s := newStore(t)
	if _, err := Open(t.Context(), s, u, p); !errors.Is(err, ErrNoRepository) {
		t.Error(err)
	}
	if _, err := Init(t.Context(), s, Chunking{}); !errors.Is(err, ErrLastKey) {
		t.Errorf("a repository without a key: %v", err)
	}
	if _, err := Init(t.Context(), s, Chunking{}, w, w); !errors.Is(err, ErrKeyExists) {
		t.Errorf("one key twice: %v", err)
	}
	r := initialised(t, s, w)
	if id, err := ReadMarker(t.Context(), s); err != nil || id != r.ID() {
		t.Errorf("the marker says %s, %v", id, err)
	}
}

func TestInitTakesNoStoreThatIsTaken(t *testing.T) {
	s := newStore(t)
	u, w := identity(t, "")
	_, other := identity(t, "")
	want := initialised(t, s, w)
	if _, err := Init(t.Context(), s, Chunking{}, other); !errors.Is(err, ErrRepositoryExists) {
		t.Error(err)
	}
	keys, err := want.ListKeys(t.Context())
	if err != nil || len(keys) != 1 {
		t.Errorf("%d keys, %v", len(keys), err)
	}
	if r, err := Open(t.Context(), s, u); err != nil || r.ID() != want.ID() {
		t.Error(err)
	}
}

func TestStrangeMarkerIsDamage(t *testing.T) {
	for _, text := range []string{"", "hello", "bus3 repository 2 " + strings.Repeat("ab", 16), "bus3 repository 1 ab", "bus3 repository 1 " + strings.Repeat("xy", 16), "bus3 repository 1 " + strings.Repeat("ab", 17)} {
		s := newStore(t)
		if err := s.Put(t.Context(), Marker, []byte(text)); err != nil {
			t.Fatal(err)
		}
		var damage *DamageError
		if _, err := ReadMarker(t.Context(), s); !errors.As(err, &damage) || damage.Key != Marker {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestInterruptedInitIsTold(t *testing.T) {
	s := newStore(t)
	if err := s.Put(t.Context(), Marker, []byte("bus3 repository 1 "+strings.Repeat("ab", 16)+"\n")); err != nil {
		t.Fatal(err)
	}
	_, w := identity(t, "")
	if _, err := Init(t.Context(), s, Chunking{}, w); !errors.Is(err, ErrRepositoryExists) || !strings.Contains(err.Error(), "interrupted") {
		t.Error(err)
	}
}

// unconditional is a store whose PutNew is not to be relied on.
type unconditional struct{ Store }

func (unconditional) ProbeConditional(context.Context) error { return s3store.ErrUnconditional }

func TestInitRefusesStoresThatOverwrite(t *testing.T) {
	_, w := identity(t, "")
	s := newStore(t)
	if _, err := Init(t.Context(), unconditional{s}, Chunking{}, w); !errors.Is(err, s3store.ErrUnconditional) {
		t.Error(err)
	}
	if _, err := ReadMarker(t.Context(), s); !errors.Is(err, ErrNoRepository) {
		t.Errorf("something was stored: %v", err)
	}
}

func TestDamagedKeysAreNoWrongKeys(t *testing.T) {
	s := newStore(t)
	u, w := identity(t, "")
	_, wp := passphrase(t, "p", "x")
	want := initialised(t, s, w, wp)
	object, err := s.Get(t.Context(), w.key, maxKey)
	if err != nil {
		t.Fatal(err)
	}
	strange, err := s.Get(t.Context(), wp.key, maxKey)
	if err != nil {
		t.Fatal(err)
	}
	damaged := map[string][]byte{"empty": {}, "truncated": object[:len(object)-1], "large": make([]byte, maxKey+1), "another version": append([]byte("bus3key\x02"), object[8:]...)}
	for i := 8; i < len(object); i += 7 {
		damaged[fmt.Sprintf("byte %d", i)] = bytes.Clone(object)
		damaged[fmt.Sprintf("byte %d", i)][i] ^= 1
	}
	for name, object := range damaged {
		if err := s.Put(t.Context(), w.key, object); err != nil {
			t.Fatal(err)
		}
		r, err := Open(t.Context(), s, u)
		if err == nil { // it was the label
			keys, err := r.ListKeys(t.Context())
			if r.ID() != want.ID() || err != nil || len(keys) != 2 || keys[0].Damage == nil && keys[1].Damage == nil {
				t.Errorf("%s: not noticed, %v", name, err)
			}
			continue
		}
		var damage *DamageError
		if !errors.As(err, &damage) || damage.Key != w.key {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Put(t.Context(), w.key, strange); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), s, u); err == nil {
		t.Error("a key in the place of another opened")
	}
}
