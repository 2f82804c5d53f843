package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bus3/bus3/s3store"
	"golang.org/x/sync/errgroup"
)

// random is n bytes that are the same for the same seed.
func random(n int, seed byte) []byte {
	p := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(p) // never fails
	return p
}

func put(t *testing.T, s s3store.Store, key string, body []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, body); err != nil {
		t.Fatal(err)
	}
}

// holds checks that the object is body.
func holds(t *testing.T, s s3store.Store, key string, body []byte) {
	t.Helper()
	got, err := s.Get(t.Context(), key, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, body) {
		t.Errorf("%s has %d bytes that are not the %d that were put", key, len(got), len(body))
	}
	o, err := s.Stat(t.Context(), key)
	if want := (s3store.Object{Key: key, Size: int64(len(body))}); err != nil || o != want {
		t.Errorf("Stat(%q) = %v, %v, want %v", key, o, err, want)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("error is %v, want %v", err, want)
	}
}

func comesBack(t *testing.T, s s3store.Store) {
	for i, size := range []int{0, 1, 4096, 1<<20 + 1, 9 << 20} {
		key := fmt.Sprintf("packs/%02d/%032d", i, i)
		put(t, s, key, random(size, byte(i)))
		holds(t, s, key, random(size, byte(i)))
	}
}

func replaces(t *testing.T, s s3store.Store) {
	put(t, s, "a", random(5000, 1))
	put(t, s, "a", random(10, 2))
	holds(t, s, "a", random(10, 2))
}

func leaves(t *testing.T, s s3store.Store) {
	if err := s.PutNew(t.Context(), "journal/0/0", random(100, 1)); err != nil {
		t.Fatal(err)
	}
	is(t, s.PutNew(t.Context(), "journal/0/0", random(100, 2)), s3store.ErrExists)
	is(t, s.PutNew(t.Context(), "journal/0/0", random(100, 1)), s3store.ErrExists)
	holds(t, s, "journal/0/0", random(100, 1))
}

// oneWins lets many claim the same keys at the same moment.
func oneWins(t *testing.T, s s3store.Store) {
	for round := range 5 {
		key := fmt.Sprintf("journal/%d/claim", round)
		var winners, winner atomic.Int64
		start := make(chan struct{})
		g, ctx := errgroup.WithContext(t.Context())
		for i := range 16 {
			g.Go(func() error {
				<-start
				err := s.PutNew(ctx, key, random(2000, byte(i)))
				if errors.Is(err, s3store.ErrExists) {
					return nil
				}
				winners.Add(1)
				winner.Store(int64(i))
				return err
			})
		}
		close(start)
		if err := g.Wait(); err != nil {
			t.Fatal(err)
		}
		if winners.Load() != 1 {
			t.Fatalf("%d callers were told that they had stored %s", winners.Load(), key)
		}
		holds(t, s, key, random(2000, byte(winner.Load())))
	}
}

// bodyIsFree overwrites the caller's buffer right after each Put.
func bodyIsFree(t *testing.T, s s3store.Store) {
	buf := make([]byte, 300<<10)
	for i := range 5 {
		copy(buf, random(len(buf), byte(i)))
		put(t, s, fmt.Sprint("k", i), buf)
		clear(buf)
	}
	for i := range 5 {
		holds(t, s, fmt.Sprint("k", i), random(len(buf), byte(i)))
	}
}

func absent(t *testing.T, s s3store.Store) {
	for _, key := range []string{"nothing", "no/such/thing"} {
		_, err := s.Get(t.Context(), key, 10)
		is(t, err, s3store.ErrNotExist)
		_, err = s.GetRange(t.Context(), key, 0, make([]byte, 10))
		is(t, err, s3store.ErrNotExist)
		_, err = s.Stat(t.Context(), key)
		is(t, err, s3store.ErrNotExist)
	}
	put(t, s, "some/thing", []byte("x"))
	for _, key := range []string{"some", "some/thing/more"} {
		_, err := s.Get(t.Context(), key, 10)
		is(t, err, s3store.ErrNotExist)
	}
}

func deletes(t *testing.T, s s3store.Store) {
	put(t, s, "a/b", []byte("x"))
	for range 2 {
		if err := s.Delete(t.Context(), "a/b"); err != nil {
			t.Fatal(err)
		}
		_, err := s.Stat(t.Context(), "a/b")
		is(t, err, s3store.ErrNotExist)
	}
	if err := s.Delete(t.Context(), "never/was"); err != nil {
		t.Error(err)
	}
	if err := s.PutNew(t.Context(), "a/b", []byte("y")); err != nil {
		t.Errorf("after its deletion a key cannot be new: %v", err)
	}
}

func tooLarge(t *testing.T, s s3store.Store) {
	put(t, s, "a", random(1000, 1))
	_, err := s.Get(t.Context(), "a", 999)
	is(t, err, s3store.ErrTooLarge)
	if _, err := s.Get(t.Context(), "a", 1000); err != nil {
		t.Error(err)
	}
}

func ranges(t *testing.T, s s3store.Store) {
	const size = 100_000
	body := random(size, 3)
	put(t, s, "a", body)
	put(t, s, "empty", nil)
	for _, c := range []struct {
		key       string
		off, n    int
		want      int
		wantError error
	}{
		{"a", 0, size, size, nil},
		{"a", 0, 1, 1, nil},
		{"a", 777, 5000, 5000, nil},
		{"a", size - 1, 1, 1, nil},
		{"a", 50_000, 60_000, 50_000, io.ErrUnexpectedEOF},
		{"a", size, 1, 0, io.ErrUnexpectedEOF},
		{"a", size * 10, 5, 0, io.ErrUnexpectedEOF},
		{"a", 5, 0, 0, nil},
		{"empty", 0, 1, 0, io.ErrUnexpectedEOF},
	} {
		dst := bytes.Repeat([]byte{0xee}, c.n+8)
		n, err := s.GetRange(t.Context(), c.key, int64(c.off), dst[:c.n])
		if n != c.want || !errors.Is(err, c.wantError) {
			t.Errorf("GetRange(%s, %d, %d bytes) = %d, %v, want %d, %v", c.key, c.off, c.n, n, err, c.want, c.wantError)
		}
		if n > 0 && !bytes.Equal(dst[:n], body[c.off:c.off+n]) {
			t.Errorf("GetRange(%s, %d, %d bytes) gives other bytes", c.key, c.off, c.n)
		}
		if !bytes.Equal(dst[c.n:], bytes.Repeat([]byte{0xee}, 8)) {
			t.Errorf("GetRange(%s, %d, %d bytes) writes beyond its buffer", c.key, c.off, c.n)
		}
	}
	if _, err := s.GetRange(t.Context(), "a", -1, make([]byte, 1)); err == nil {
		t.Error("a negative offset is no error")
	}
}

func hostileKeys(t *testing.T, s s3store.Store) {
	for _, key := range []string{
		"", "/", "/a", "a/", "a//b", ".", "..", "../a", "a/..", "a/../b", "a/./b", ".tmp/a", "a/.b", "A", "a b", "a\x00b", "a\nb", "ä", "a\\b", "a%2fb", "a?b", "a*",
		strings.Repeat("a", 201), strings.Repeat("a/", 300) + "a",
	} {
		is(t, s.Put(t.Context(), key, []byte("x")), s3store.ErrKey)
		is(t, s.PutNew(t.Context(), key, []byte("x")), s3store.ErrKey)
		_, err := s.Get(t.Context(), key, 10)
		is(t, err, s3store.ErrKey)
		_, err = s.GetRange(t.Context(), key, 0, make([]byte, 1))
		is(t, err, s3store.ErrKey)
		_, err = s.Stat(t.Context(), key)
		is(t, err, s3store.ErrKey)
		is(t, s.Delete(t.Context(), key), s3store.ErrKey)
	}
	for _, prefix := range []string{"/", "..", "../", "a/../", "A", ".tmp", "a//"} {
		is(t, s.List(t.Context(), prefix, "", func(s3store.Object) error { return nil }), s3store.ErrKey)
	}
}

func cancelled(t *testing.T, s s3store.Store) {
	put(t, s, "a", []byte("x"))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	is(t, s.Put(ctx, "b", []byte("x")), context.Canceled)
	is(t, s.PutNew(ctx, "b", []byte("x")), context.Canceled)
	_, err := s.Get(ctx, "a", 10)
	is(t, err, context.Canceled)
	_, err = s.GetRange(ctx, "a", 0, make([]byte, 1))
	is(t, err, context.Canceled)
	_, err = s.Stat(ctx, "a")
	is(t, err, context.Canceled)
	is(t, s.List(ctx, "", "", func(s3store.Object) error { return nil }), context.Canceled)
	is(t, s.Delete(ctx, "a"), context.Canceled)
	holds(t, s, "a", []byte("x"))
	_, err = s.Stat(t.Context(), "b")
	is(t, err, s3store.ErrNotExist)
}

func probes(t *testing.T, s s3store.Store) {
	if err := s.ProbeConditional(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := list(t, s, "", ""); len(left) != 0 {
		t.Errorf("the probe leaves %v behind", left)
	}
}

func parallel(t *testing.T, s s3store.Store) {
	g, ctx := errgroup.WithContext(t.Context())
	for i := range 40 {
		g.Go(func() error {
			key, body := fmt.Sprintf("packs/%d/%d", i%4, i), random(20_000+i, byte(i))
			if err := s.PutNew(ctx, key, body); err != nil {
				return err
			}
			got, err := s.Get(ctx, key, int64(len(body)))
			if err == nil && !bytes.Equal(got, body) {
				err = fmt.Errorf("%s has other bytes than were put", key)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	if n := len(list(t, s, "packs/", "")); n != 40 {
		t.Errorf("%d objects are listed, want 40", n)
	}
}
