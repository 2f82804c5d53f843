package rebuild_test

import (
	"testing"

	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/s3store/repository"
)

// TestABeginningOfWhichOnlyTheEndIsLeft: a scan without changes has no entry that tells whose it was; the one that
// follows it does.
func TestABeginningOfWhichOnlyTheEndIsLeft(t *testing.T) {
	w := newWorld(t)
	w.Tree(w.Begin(0, "/one"))
	w.Begin(1, "/one").End()
	w.Begin(2, "/one").End()
	must(t, w.Store.Delete(t.Context(), repository.JournalKey(1, 0)))
	cat := newCatalog(t)
	report, err := w.Sync(cat, rebuild.Options{Recover: true})
	must(t, err)
	if len(report.Losses) != 1 || report.Losses[0].Root != "/one" || report.Losses[0].Host != "here" {
		t.Errorf("losses: %+v", report.Losses)
	}
	for n := range int64(3) {
		s, err := cat.Scan(t.Context(), n)
		if err != nil || !s.State.Finished() || s.Source.Root != "/one" {
			t.Errorf("scan %d: %+v, %v", n, s, err)
		}
	}
}
