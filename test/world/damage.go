package world

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
	"github.com/bus3/bus3/test/quick"
)

// Object is the file of an object.
func (w *World) Object(key string) string { return filepath.Join(w.Dir, filepath.FromSlash(key)) }

// Journal lists the keys of the journal.
func (w *World) Journal() (keys []string) {
	w.T.Helper()
	must(w.T, w.Store.List(context.Background(), repository.JournalPrefix, "", func(o s3store.Object) error {
		keys = append(keys, o.Key)
		return nil
	}))
	return keys
}

// During replaces an object by body (nil: removes it) while f runs.
func (w *World) During(key string, body []byte, f func()) {
	w.T.Helper()
	was, err := os.ReadFile(w.Object(key))
	must(w.T, err)
	if body == nil {
		must(w.T, os.Remove(w.Object(key)))
	} else {
		must(w.T, os.WriteFile(w.Object(key), body, 0o600))
	}
	f()
	must(w.T, os.WriteFile(w.Object(key), was, 0o600))
}

// must ends the test if there is an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Fork is a copy of the world up to and without scan n, in which the scans from n on were written anew, with the same numbers.
func (w *World) Fork(n int64) *World {
	w.T.Helper()
	dir := filepath.Join(quick.Dir(w.T), "store")
	must(w.T, os.CopyFS(dir, os.DirFS(w.Dir)))
	store, err := s3store.Open(w.T.Context(), "file://"+dir, s3store.Options{})
	must(w.T, err)
	f := &World{T: w.T, Dir: dir, Store: store, Cat: Catalog(w.T), Key: w.Key}
	for _, key := range w.Journal() {
		if scan, _, _ := repository.ParseJournalKey(key); scan >= n {
			must(w.T, os.Remove(f.Object(key)))
		}
	}
	f.Repo = w.reopen(store)
	_, err = rebuild.Sync(w.T.Context(), f.Cat, store, f.Repo, rebuild.Options{})
	must(w.T, err)
	f.Tree(f.Begin(3, "/two"))
	f.Tree(f.Begin(4, "/one"))
	return f
}

// Damages are what can happen to an object. Each gives the body that is found in its place, nil for none.
func (w *World) Damages(older *World, key string, all []string) map[string][]byte {
	w.T.Helper()
	body, err := os.ReadFile(w.Object(key))
	must(w.T, err)
	i := slices.Index(all, key)
	other, err := os.ReadFile(w.Object(all[(i+1)%len(all)]))
	must(w.T, err)
	flipped := slices.Clone(body)
	flipped[len(flipped)/2] ^= 1
	d := map[string][]byte{"removed": nil, "exchanged": other, "cut": body[:len(body)-1], "emptied": {}, "flipped": flipped}
	if old, err := os.ReadFile(older.Object(key)); err == nil && string(old) != string(body) {
		d["replaced by an older version"] = old
	}
	return d
}
