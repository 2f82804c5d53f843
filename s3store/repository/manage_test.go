package repository

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
)

func labels(t *testing.T, r *Repository) (out []string) {
	t.Helper()
	keys, err := r.ListKeys(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range keys {
		if k.Damage != nil || k.Created.IsZero() {
			t.Errorf("%+v", k)
		}
		out = append(out, k.Label)
	}
	slices.Sort(out)
	return out
}

func TestKeysAreAddedListedAndRemoved(t *testing.T) {
	s := newStore(t)
	u1, w1 := identity(t, "one")
	u2, w2 := identity(t, "two")
	_, w3 := passphrase(t, "two", "x")
	r := initialised(t, s, w1)
	for _, w := range []Wrap{w2, w3} {
		if err := r.AddKey(t.Context(), w); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.AddKey(t.Context(), w2); !errors.Is(err, ErrKeyExists) {
		t.Errorf("added again: %v", err)
	}
	if got := labels(t, r); !slices.Equal(got, []string{"one", "two", "two"}) {
		t.Errorf("keys %q", got)
	}
	if err := r.RemoveKey(t.Context(), "two"); !errors.Is(err, ErrNoKey) {
		t.Errorf("two keys have the label: %v", err)
	}
	if err := r.RemoveKey(t.Context(), strings.TrimPrefix(w3.key, KeysPrefix)); err != nil {
		t.Error(err)
	}
	if err := r.RemoveKey(t.Context(), "one"); err != nil {
		t.Error(err)
	}
	if _, err := Open(t.Context(), s, u1); !errors.Is(err, ErrWrongKey) {
		t.Errorf("the removed key: %v", err)
	}
	if err := r.RemoveKey(t.Context(), "two"); !errors.Is(err, ErrLastKey) {
		t.Errorf("the last key: %v", err)
	}
	if _, err := Open(t.Context(), s, u2); err != nil {
		t.Error(err)
	}
	if err := r.RemoveKey(t.Context(), "three"); !errors.Is(err, ErrNoKey) {
		t.Error(err)
	}
}

// racing removes another key at the moment in which one is removed.
type racing struct {
	Store
	other string
}

func (s racing) Delete(ctx context.Context, key string) error {
	if err := s.Store.Delete(ctx, s.other); err != nil {
		return err
	}
	return s.Store.Delete(ctx, key)
}

func TestTwoRemovalsLeaveAKey(t *testing.T) {
	s := newStore(t)
	u1, w1 := identity(t, "one")
	_, w2 := identity(t, "two")
	initialised(t, s, w1, w2)
	r, err := Open(t.Context(), racing{Store: s, other: w2.key}, u1)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.RemoveKey(t.Context(), "one"); !errors.Is(err, ErrLastKey) {
		t.Error(err)
	}
	if _, err := Open(t.Context(), s, u1); err != nil {
		t.Errorf("everybody is locked out: %v", err)
	}
}

func TestKeysAreReplaced(t *testing.T) {
	s := newStore(t)
	u, w := identity(t, "mine")
	before, wb := passphrase(t, "word", "before")
	after, wa := passphrase(t, "word", "after")
	r := initialised(t, s, w, wb)
	if err := r.RotateWrap(t.Context(), "word", wa); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), s, before); !errors.Is(err, ErrWrongKey) {
		t.Errorf("the old passphrase: %v", err)
	}
	if got, err := Open(t.Context(), s, after); err != nil || got.ID() != r.ID() {
		t.Errorf("the new passphrase: %v", err)
	}
	again, err := WrapRecipient("renamed", u.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.RotateWrap(t.Context(), "mine", again); err != nil {
		t.Fatal(err)
	}
	if got := labels(t, r); !slices.Equal(got, []string{"renamed", "word"}) {
		t.Errorf("keys %q", got)
	}
	if _, err := Open(t.Context(), s, u); err != nil {
		t.Error(err)
	}
	alone := initialised(t, newStore(t), w)
	if err := alone.RotateWrap(t.Context(), "mine", wa); err != nil {
		t.Errorf("the only key cannot be replaced: %v", err)
	}
}

func TestDamagedKeyIsListedAndCanBeRemoved(t *testing.T) {
	s := newStore(t)
	_, w := identity(t, "mine")
	r := initialised(t, s, w)
	if err := s.Put(t.Context(), "keys/r-junk", []byte("junk")); err != nil {
		t.Fatal(err)
	}
	if err := r.RemoveKey(t.Context(), "mine"); !errors.Is(err, ErrLastKey) {
		t.Errorf("a damaged key counts: %v", err)
	}
	keys, err := r.ListKeys(t.Context())
	var damage *DamageError
	if err != nil || len(keys) != 2 || !errors.As(errors.Join(keys[0].Damage, keys[1].Damage), &damage) || damage.Key != "keys/r-junk" {
		t.Errorf("%+v, %v", keys, err)
	}
	if err := r.RemoveKey(t.Context(), "r-junk"); err != nil {
		t.Error(err)
	}
	if got := labels(t, r); !slices.Equal(got, []string{"mine"}) {
		t.Errorf("keys %q", got)
	}
}

func TestSheetOpensTheRepository(t *testing.T) {
	s := newStore(t)
	_, w := identity(t, "mine")
	r := initialised(t, s, w)
	sheet, err := r.Export(t.Context(), "safe")
	if err != nil {
		t.Fatal(err)
	}
	if sheet.Store != s.String() || sheet.Repository != r.ID() {
		t.Errorf("%s, %s", sheet.Store, sheet.Repository)
	}
	us, err := UnlockFile([]byte(sheet.Identity), nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := Open(t.Context(), s, us...); err != nil || got.ID() != r.ID() || us[0].Recipient() != sheet.Recipient {
		t.Error(err)
	}
	if got := labels(t, r); !slices.Equal(got, []string{"mine", "safe"}) {
		t.Errorf("keys %q", got)
	}
}
