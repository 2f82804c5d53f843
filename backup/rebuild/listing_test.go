package rebuild_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/repository"
)

// hiding is a journal whose listing misses objects, the first time that it comes to them: as one does that takes its
// time, while they are stored.
type hiding struct {
	*repository.Repository
	hidden func(repository.Part) bool
}

func (h *hiding) Parts(ctx context.Context, from int64, fn func(repository.Part) error) error {
	hidden := h.hidden
	h.hidden = func(repository.Part) bool { return false }
	return h.Repository.Parts(ctx, from, func(p repository.Part) error {
		if hidden(p) {
			return nil
		}
		return fn(p)
	})
}

func TestWhatAListingMissesIsNotLost(t *testing.T) {
	w := newWorld(t)
	w.History()
	whole := tell(t, w.Cat)
	for name, hidden := range map[string]func(repository.Part) bool{
		"a part in the middle":  func(p repository.Part) bool { return p.Scan == 1 && p.Part == 2 },
		"the first part":        func(p repository.Part) bool { return p.Scan == 2 && p.Part == 0 },
		"several":               func(p repository.Part) bool { return p.Scan == 2 && p.Part < 3 },
		"the end":               func(p repository.Part) bool { return p.Scan == 0 && p.Part == 4 },
		"a scan":                func(p repository.Part) bool { return p.Scan == 2 },
		"several scans":         func(p repository.Part) bool { return p.Scan < 3 },
		"one that nobody needs": func(p repository.Part) bool { return p.Scan == 3 },
	} {
		for _, recover := range []bool{false, true} {
			cat := newCatalog(t)
			j := &hiding{w.Repo, hidden}
			report, err := rebuild.Sync(t.Context(), cat, w.Store, j, rebuild.Options{Recover: recover})
			if err != nil || len(report.Losses) != 0 {
				t.Errorf("%s: %v, %+v", name, err, report)
				continue
			}
			if diff := cmp.Diff(whole, tell(t, cat)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
	}
}

func TestAScanOfWhichNothingIsLeftIsNamed(t *testing.T) {
	w := newWorld(t)
	w.History()
	for _, scan := range []int64{1, 3} { // another scan of the same directory follows the first, none follows the other
		for _, key := range w.Journal() {
			if n, _, _ := repository.ParseJournalKey(key); n == scan {
				must(t, w.Store.Delete(t.Context(), key))
			}
		}
		var loss *rebuild.LossError
		if _, err := w.Sync(newCatalog(t), rebuild.Options{}); !errors.As(err, &loss) || loss.Scan != 1 {
			t.Errorf("got %v", err)
		}
		report, err := w.Sync(newCatalog(t), rebuild.Options{Recover: true})
		must(t, err)
		if !slices.ContainsFunc(report.Losses, func(l rebuild.Loss) bool { return l.Scan == scan }) {
			t.Errorf("scan %d is not among the losses: %+v", scan, report.Losses)
		}
	}
}

func TestAScanThatIsOutOfAllOrderIsNotApplied(t *testing.T) {
	w := newWorld(t)
	w.History()
	far := repository.JournalKey(catalog.MaxScan, 0)
	must(t, w.Store.Put(t.Context(), far, []byte("planted")))
	var loss *rebuild.LossError
	if _, err := w.Sync(newCatalog(t), rebuild.Options{}); !errors.As(err, &loss) || loss.Key != far {
		t.Errorf("got %v", err)
	}
	cat := newCatalog(t)
	report, err := w.Sync(cat, rebuild.Options{Recover: true})
	must(t, err)
	if len(report.Losses) != 1 || report.Losses[0].Key != far {
		t.Errorf("%+v", report)
	}
	if next, err := cat.NextScan(t.Context()); next != 5 || err != nil {
		t.Errorf("the next scan would be %d, %v", next, err)
	}
}

func TestACatalogThatIsBeingFilledIsNotTakenForWhole(t *testing.T) {
	w := newWorld(t)
	w.History()
	cat := newCatalog(t)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := rebuild.Run(ctx, cat, w.Store, w.Repo, rebuild.Options{Progress: func(rebuild.Progress) { cancel() }})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if id, err := cat.Repository(t.Context()); id != rebuild.Filling(w.Repo.ID()) || err != nil {
		t.Errorf("it belongs to %s, %v", id, err)
	}
	if _, err := newWorld(t).Sync(cat, rebuild.Options{}); !errors.Is(err, catalog.ErrOtherRepository) {
		t.Errorf("another repository: %v", err)
	}
	_, err = rebuild.Run(t.Context(), cat, w.Store, w.Repo, rebuild.Options{})
	must(t, err)
	if id, err := cat.Repository(t.Context()); id != w.Repo.ID() || err != nil {
		t.Errorf("afterwards it belongs to %s, %v", id, err)
	}
}

// A directory that only a lost part told of has a stand-in, until a later scan tells it.
func TestAStandInGoesWhenTheDirectoryIsToldAgain(t *testing.T) {
	w := newWorld(t)
	s := w.Begin(0, "/one")
	root := s.Root()
	dir := s.Dir(root.Ino, "dir")
	s.Put(&catalog.Batch{Opened: []catalog.Entry{root}})
	s.Put(&catalog.Batch{Opened: []catalog.Entry{dir}})
	b := &catalog.Batch{}
	s.Files(b, dir.Ino, "f")
	s.Put(b)
	s.End()
	s = w.Begin(1, "/one")
	again := s.Dir(root.Ino, "dir")
	again.Ino = dir.Ino
	s.Put(&catalog.Batch{Closed: []catalog.Closed{{ID: dir.ID, Last: 0}}, Opened: []catalog.Entry{again}})
	s.End()
	w.During(repository.JournalKey(0, 2), nil, func() {
		cat := newCatalog(t)
		report, err := w.Sync(cat, rebuild.Options{Recover: true})
		must(t, err)
		if len(report.Losses) != 1 || len(report.Losses[0].StandIns) != 1 {
			t.Fatalf("%+v", report)
		}
		for scan, want := range map[int64]string{0: report.Losses[0].StandIns[0], 1: "dir"} {
			var names []string
			must(t, cat.List(t.Context(), scan, root.Ino, func(e *catalog.Entry) error {
				names = append(names, e.Name)
				return nil
			}))
			if !slices.Equal(names, []string{want}) {
				t.Errorf("scan %d has %q", scan, names)
			}
		}
	})
}
