package storetest

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/bus3/bus3/s3store"
	"github.com/google/go-cmp/cmp"
)

// list is what List finds.
func list(t *testing.T, s s3store.Store, prefix, after string) []s3store.Object {
	t.Helper()
	var found []s3store.Object
	err := s.List(t.Context(), prefix, after, func(o s3store.Object) error {
		found = append(found, o)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func lists(t *testing.T, s s3store.Store) {
	keys := []string{
		"bus3-repository", "journal/0000000000/00000000", "journal/0000000000/00000001", "journal/0000000001/00000000",
		"journal/0000000010/00000000", "keys/0a", "keys/0b", "packs/00/aa", "packs/00/ab", "packs/0a/00", "packs/a0/00", "x",
		// "-" and "." sort before "/", so that the order of names in a directory is not that of keys
		"d-e/f", "d.e", "d/e", "d0",
	}
	for _, key := range keys {
		put(t, s, key, []byte(key))
	}
	slices.Sort(keys)
	prefixes := []string{"", "journal/", "journal/0000000001", "journal/0000000001/", "packs/0", "packs/00/", "keys/0b", "d", "d/", "nothing/", "nothing", "zz"}
	afters := append([]string{"", "a", "d-", "d/", "journal/0000000000", "journal/0000000000/00000000", "packs/0", "packs/00/aa0", "zz"}, keys...)
	for _, prefix := range prefixes {
		for _, after := range afters {
			var want []s3store.Object
			for _, key := range keys {
				if strings.HasPrefix(key, prefix) && key > after {
					want = append(want, s3store.Object{Key: key, Size: int64(len(key))})
				}
			}
			if diff := cmp.Diff(want, list(t, s, prefix, after)); diff != "" {
				t.Errorf("List(%q, %q), wanted -, got +:\n%s", prefix, after, diff)
			}
		}
	}
}

func listsNothing(t *testing.T, s s3store.Store) {
	if found := list(t, s, "", ""); len(found) != 0 {
		t.Errorf("List finds %v", found)
	}
}

func listEnds(t *testing.T, s s3store.Store) {
	put(t, s, "a", nil)
	put(t, s, "b", nil)
	enough := errors.New("enough")
	n := 0
	err := s.List(t.Context(), "", "", func(s3store.Object) error { n++; return enough })
	if err != enough || n != 1 {
		t.Errorf("List returns %v after %d objects", err, n)
	}
}
