package repository

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
)

func beginning(scan int64) *catalog.Batch {
	b := &catalog.Batch{Scan: scan, Begin: &catalog.Begin{
		Source: catalog.Source{ID: catalog.NewID(0, 1), Host: "h", Root: "/r"}, Program: "bus3", After: scan - 1,
	}}
	if scan > 0 {
		b.Begin.AfterParts, b.Begin.AfterDigest = 3, catalog.Hash{byte(scan)}
	}
	return b
}

func later(scan, part int64) *catalog.Batch {
	return &catalog.Batch{Scan: scan, Part: part, Problems: []catalog.Problem{{Path: fmt.Sprintf("/r/%d/%d", scan, part), Message: strings.Repeat("gone ", 50)}}}
}

// chain writes the parts 0 to n-1 of a scan and returns them.
func chain(t *testing.T, r *Repository, scan int64, n int64) []*catalog.Batch {
	t.Helper()
	parts := []*catalog.Batch{beginning(scan)}
	for part := int64(1); part < n; part++ {
		parts = append(parts, later(scan, part))
	}
	var previous catalog.Hash
	for _, b := range parts {
		if _, err := r.PutPart(t.Context(), b, previous); err != nil {
			t.Fatal(err)
		}
		previous = b.Digest
	}
	return parts
}

func repository(t *testing.T) (*Repository, *store) {
	t.Helper()
	s := newStore(t)
	_, w := identity(t, "")
	return initialised(t, s, w), s
}

func TestPartsComeBack(t *testing.T) {
	r, s := repository(t)
	parts := chain(t, r, 4, 3)
	previous := catalog.Hash{99} // of part 0 it is not looked at
	for _, want := range parts {
		got, err := r.GetPart(t.Context(), 4, want.Part, previous)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		previous = got.Digest
	}
	_, previous, err := r.GetPartAny(t.Context(), 4, 2)
	if err != nil || previous != parts[1].Digest {
		t.Errorf("part 2 follows %s, %v", previous, err)
	}
	_, previous, err = r.GetPartAny(t.Context(), 4, 0)
	if err != nil || previous != parts[0].Begin.AfterDigest {
		t.Errorf("part 0 follows %s, %v", previous, err)
	}
	object, err := s.Get(t.Context(), JournalKey(4, 2), 1<<20)
	if err != nil || bytes.Contains(object, []byte("gone")) {
		t.Errorf("it is readable, %v", err)
	}
}

func TestAPartIsWrittenOnce(t *testing.T) {
	r, s := repository(t)
	parts := chain(t, r, 0, 2)
	for _, b := range []*catalog.Batch{beginning(0), later(0, 1)} {
		if _, err := r.PutPart(t.Context(), b, parts[0].Digest); !errors.Is(err, ErrTaken) || !b.Digest.IsZero() {
			t.Errorf("%v", err)
		}
	}
	if _, err := r.GetPart(t.Context(), 0, 1, parts[0].Digest); err != nil {
		t.Error(err)
	}
	s.puts.Store(0)
	bad := later(0, 2)
	bad.End = &catalog.End{State: catalog.Incomplete}
	if _, err := r.PutPart(t.Context(), bad, parts[1].Digest); !errors.Is(err, catalog.ErrInvalid) || s.puts.Load() != 0 {
		t.Errorf("an impossible batch was stored: %v", err)
	}
}

func TestOneOfManyWritersGetsTheNumber(t *testing.T) {
	r, _ := repository(t)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for i := range errs {
		wg.Go(func() {
			b := beginning(0)
			b.Begin.Started = int64(i)
			_, errs[i] = r.PutPart(t.Context(), b, catalog.Hash{})
		})
	}
	wg.Wait()
	won := slices.Index(errs, nil)
	for i, err := range errs {
		if i != won && !errors.Is(err, ErrTaken) {
			t.Errorf("%d: %v, winner %d", i, err, won)
		}
	}
	b, err := r.GetPart(t.Context(), 0, 0, catalog.Hash{})
	if err != nil || won < 0 || b.Begin.Started != int64(won) {
		t.Errorf("winner %d, %v", won, err)
	}
}

// What can happen to an object of the journal, and from which part on it is noticed by whoever follows the chain.
func TestWhatHappensToPartsIsNoticed(t *testing.T) {
	r, s := repository(t)
	parts := chain(t, r, 2, 4)
	chain(t, r, 3, 4)
	elder := newStore(t) // where part 1 is another one than it became
	old := newRepository(elder, r.secret)
	if _, err := old.PutPart(t.Context(), later(2, 1), parts[0].Digest); err != nil {
		t.Fatal(err)
	}
	get := func(s Store, key string) []byte {
		t.Helper()
		object, err := s.Get(t.Context(), key, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		return object
	}
	sound := get(s, JournalKey(2, 1))
	flipped := func(i int) []byte { b := bytes.Clone(sound); b[i] ^= 1; return b }
	cases := map[string]struct {
		object []byte
		first  int64 // the part at which it is noticed
	}{
		"missing":               {nil, 1},
		"next part":             {get(s, JournalKey(2, 2)), 1},
		"part of another scan":  {get(s, JournalKey(3, 1)), 1},
		"beginning":             {get(s, JournalKey(2, 0)), 1},
		"older version":         {get(elder, JournalKey(2, 1)), 2},
		"truncated":             {sound[:len(sound)-1], 1},
		"cut to its head":       {sound[:journalHead], 1},
		"empty":                 {[]byte{}, 1},
		"longer":                {append(bytes.Clone(sound), 0), 1},
		"magic flipped":         {flipped(0), 1},
		"version flipped":       {flipped(7), 1},
		"salt flipped":          {flipped(8), 1},
		"predecessor flipped":   {flipped(30), 1},
		"first byte flipped":    {flipped(journalHead), 1},
		"last byte flipped":     {flipped(len(sound) - 1), 1},
		"byte in between":       {flipped(journalHead + 20), 1},
		"of another repository": {otherPart(t), 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if err := s.Delete(t.Context(), JournalKey(2, 1)); err != nil {
				t.Fatal(err)
			}
			if c.object != nil {
				if err := s.Put(t.Context(), JournalKey(2, 1), c.object); err != nil {
					t.Fatal(err)
				}
			}
			at, err := follow(t.Context(), r, 2, 4)
			var damage *DamageError
			if at != c.first || !errors.As(err, &damage) || damage.Key != JournalKey(2, c.first) {
				t.Errorf("noticed at part %d: %v", at, err)
			}
			if missing := errors.Is(err, s3store.ErrNotExist); missing != (c.object == nil) {
				t.Errorf("missing: %v: %v", missing, err)
			}
		})
	}
}

// otherPart is the same part in a repository of its own.
func otherPart(t *testing.T) []byte {
	t.Helper()
	r, s := repository(t)
	chain(t, r, 2, 2)
	object, err := s.Get(t.Context(), JournalKey(2, 1), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	return object
}

// follow reads the parts of a scan in order and returns the first that fails.
func follow(ctx context.Context, r *Repository, scan, parts int64) (int64, error) {
	var previous catalog.Hash
	for part := range parts {
		b, err := r.GetPart(ctx, scan, part, previous)
		if err != nil {
			return part, err
		}
		previous = b.Digest
	}
	return parts, nil
}

func TestPartsAreListedInOrder(t *testing.T) {
	r, s := repository(t)
	chain(t, r, 0, 2)
	chain(t, r, 9, 1)
	chain(t, r, 10, 12)
	for _, junk := range []string{"journal/junk", "journal/0000000010/junk", "journal/0000000010", "journal0/x", "packs/ab/x"} {
		if err := s.Put(t.Context(), junk, []byte("x")); err != nil && junk != "journal/0000000010" {
			t.Fatal(err)
		}
	}
	list := func(from int64) (out []string) {
		err := r.Parts(t.Context(), from, func(p Part) error {
			if p.Size < int64(journalHead) {
				t.Errorf("%+v", p)
			}
			out = append(out, fmt.Sprintf("%d.%d", p.Scan, p.Part))
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	if got := list(0); len(got) != 15 || got[0] != "0.0" || got[2] != "9.0" || got[14] != "10.11" {
		t.Errorf("%q", got)
	}
	if got := list(10); len(got) != 12 || got[0] != "10.0" {
		t.Errorf("%q", got)
	}
	if got := list(11); len(got) != 0 {
		t.Errorf("%q", got)
	}
	stop := errors.New("stop")
	if err := r.Parts(t.Context(), 0, func(Part) error { return stop }); !errors.Is(err, stop) {
		t.Error(err)
	}
}

func TestKeysOfTheJournal(t *testing.T) {
	for _, n := range [][2]int64{{0, 0}, {7, 12}, {catalog.MaxScan, maxPart}} {
		scan, part, ok := ParseJournalKey(JournalKey(n[0], n[1]))
		if !ok || scan != n[0] || part != n[1] {
			t.Errorf("%v came back as %d, %d, %v", n, scan, part, ok)
		}
	}
	if key := JournalKey(7, 12); key != "journal/0000000007/00000012" {
		t.Error(key)
	}
	for _, bad := range []string{"", "journal/", "journal/7/12", "journal/0000000007/0000001x", "journal/-000000007/00000012", "journal/0000000007/+0000012", "packs/0000000007/00000012", "0000000007/00000012", "journal/9999999999/00000000", "journal/0000000007/000000123"} {
		if scan, part, ok := ParseJournalKey(bad); ok {
			t.Errorf("%q: %d, %d", bad, scan, part)
		}
	}
}
