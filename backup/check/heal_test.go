package check_test

import (
	"testing"

	"github.com/bus3/bus3/backup/check"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/test/world"
)

// What was in a broken pack is not known any more, so that the next backup stores it again; until the pack is found to be sound.
func TestABackupDoesNotRelyOnWhatIsBroken(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.History()
	id, _ := packOf(t, w, 0, "a1")
	var hashes []catalog.Hash
	must(t, w.Cat.EachPack(t.Context(), func(p *catalog.Pack, _ int64) error {
		return w.Cat.EachPlace(t.Context(), p.ID, func(place *catalog.Place) error {
			if place.Pack.Key == id {
				hashes = append(hashes, place.Hash)
			}
			return nil
		})
	}))
	known := func() (n int) {
		ids := make([]catalog.ID, len(hashes))
		must(t, w.Cat.KnownChunks(t.Context(), hashes, ids))
		for _, id := range ids {
			if id != 0 {
				n++
			}
		}
		return n
	}
	if n := known(); n != 2 {
		t.Fatalf("%d of 2 chunks are known at first", n)
	}
	w.During(pack.Key(id), nil, func() { checked(t, w, check.Options{}) })
	if n := known(); n != 0 {
		t.Errorf("%d chunks of a pack that is missing are known", n)
	}
	checked(t, w, check.Options{ReadData: true})
	if n := known(); n != 2 {
		t.Errorf("%d of 2 chunks are known when the pack is back", n)
	}
}
