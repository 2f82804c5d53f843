package check_test

import (
	"testing"

	"github.com/bus3/bus3/backup/check"
	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/s3store/repository"
	"github.com/bus3/bus3/test/world"
)

// Who filled a catalog around a loss was told so. Check goes on to tell it, and fails only when the object is there again.
func TestAKnownLossIsToldAndNoFault(t *testing.T) {
	t.Parallel()
	for _, lost := range []int64{0, 2} { // the beginning, and a part
		w := world.New(t)
		w.History()
		key := repository.JournalKey(2, lost)
		cat := world.Catalog(t)
		w.During(key, nil, func() {
			if r, _ := checked(t, w, check.Options{}); r.Faults != 1 || r.KnownLosses != 0 {
				t.Errorf("%s: the catalog that has applied it: %+v", key, r)
			}
			_, err := w.Sync(cat, rebuild.Options{Recover: true})
			must(t, err)
			r, found := run(t, cat, w.Store, w.Repo, check.Options{})
			if r.Faults != 0 || r.KnownLosses != 1 {
				t.Errorf("%s: the catalog that was filled without it: %+v\n%+v", key, r, found)
			}
		})
		r, found := run(t, cat, w.Store, w.Repo, check.Options{})
		if r.Faults != 1 || r.KnownLosses != 0 || found[0].Kind != check.JournalBack || found[0].Key != key {
			t.Errorf("%s: when it is back: %+v\n%+v", key, r, found)
		}
	}
}

// Of a scan that is lost altogether a catalog that was filled without it has nothing but the gap.
func TestAKnownLossOfAScanIsNoFault(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.Tree(w.Begin(0, "/one"))
	w.Begin(1, "/two").End()
	w.Begin(2, "/one").End()
	for part := range int64(2) {
		must(t, w.Store.Delete(t.Context(), repository.JournalKey(1, part)))
	}
	cat := world.Catalog(t)
	_, err := w.Sync(cat, rebuild.Options{Recover: true})
	must(t, err)
	if r, found := run(t, cat, w.Store, w.Repo, check.Options{}); r.Faults != 0 || r.KnownLosses != 1 {
		t.Errorf("%+v\n%+v", r, found)
	}
}
