package repository

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/seal"
)

// The golden part was written once, by this format, with a master key of 32 bytes of 7.
func TestOldPartsStayReadable(t *testing.T) {
	var master seal.Master
	for i := range master {
		master[i] = 7
	}
	text, err := os.ReadFile(filepath.Join("testdata", "journal-v1.hex"))
	if err != nil {
		t.Fatal(err)
	}
	object, err := hex.DecodeString(strings.TrimSpace(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	if err := s.Put(t.Context(), JournalKey(4, 1), object); err != nil {
		t.Fatal(err)
	}
	got, previous, err := newRepository(s, secret{master: master, chunking: DefaultChunking()}).GetPartAny(t.Context(), 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	want := later(4, 1)
	want.Digest = got.Digest
	if diff := cmp.Diff(want, got); diff != "" || previous != (catalog.Hash{5}) {
		t.Errorf("%s after %s", diff, previous)
	}
}

// The golden key was wrapped once, by this format, for the identity beside it.
func TestOldKeysStayReadable(t *testing.T) {
	read := func(name string) []byte {
		t.Helper()
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	object, err := hex.DecodeString(strings.TrimSpace(string(read("key-v1.hex"))))
	if err != nil {
		t.Fatal(err)
	}
	us, err := UnlockFile(read("identity.txt"), nil)
	if err != nil {
		t.Fatal(err)
	}
	s := newStore(t)
	if err := s.Put(t.Context(), recipientKey(us[0].Recipient()), object); err != nil {
		t.Fatal(err)
	}
	r, err := Open(t.Context(), s, us...)
	if err != nil {
		t.Fatal(err)
	}
	if id := strings.TrimSpace(string(read("repository.txt"))); r.ID().String() != id {
		t.Errorf("it is repository %s", r.ID())
	}
	if got := labels(t, r); !slices.Equal(got, []string{"golden"}) {
		t.Errorf("keys %q", got)
	}
}

func FuzzOpenPart(f *testing.F) {
	r := newRepository(nil, secret{})
	object, err := r.sealPart(later(1, 1), catalog.Hash{1})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(object)
	f.Add(object[:journalHead+20])
	f.Fuzz(func(t *testing.T, data []byte) {
		b, _, err := r.openPart(data, 1, 1)
		if err == nil && !cmp.Equal(b, later(1, 1)) { // nobody but the holder of the keys can make another one
			t.Errorf("opened: %+v", b)
		}
	})
}

func FuzzParseKey(f *testing.F) {
	w := Wrap{label: "l", kind: "age", recipient: "r", key: "keys/r-0"}
	object, err := sealAbout(w, secret{}, []byte("wrapped"), 5)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(object)
	f.Add(object[:20])
	r := newRepository(nil, secret{})
	f.Fuzz(func(t *testing.T, data []byte) {
		about, err := r.about(w.key, data)
		if err == nil && (string(about.Label) != "l" || about.Created != 5) {
			t.Errorf("%+v", about)
		}
	})
}
