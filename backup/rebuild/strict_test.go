package rebuild_test

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/catalogtest"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
)

// answering is a journal that answers some requests for parts by itself: answer is asked first, with how often the part was
// asked for before.
type answering struct {
	*repository.Repository
	asked  map[repository.Part]int
	answer func(p repository.Part, before int) error
	turn   chan struct{}
}

func newAnswering(w *testWorld, answer func(p repository.Part, before int) error) *answering {
	return &answering{w.Repo, map[repository.Part]int{}, answer, make(chan struct{}, 1)}
}

func (a *answering) GetPartAny(ctx context.Context, scan, part int64) (*catalog.Batch, catalog.Hash, error) {
	p := repository.Part{Scan: scan, Part: part}
	a.turn <- struct{}{}
	before := a.asked[p]
	a.asked[p]++
	<-a.turn
	if err := a.answer(p, before); err != nil {
		return nil, catalog.Hash{}, err
	}
	return a.Repository.GetPartAny(ctx, scan, part)
}

// whole is a catalog that is whole and behind: it has scans 0 and 1 of w.History.
func (w *testWorld) whole(t *testing.T) catalogtest.Catalog {
	t.Helper()
	cat := newCatalog(t)
	enough := errors.New("enough")
	j := newAnswering(w, func(p repository.Part, _ int) error {
		if p.Scan > 1 {
			return enough
		}
		return nil
	})
	if _, err := rebuild.Sync(t.Context(), cat, w.Store, j, rebuild.Options{}); !errors.Is(err, enough) {
		t.Fatalf("got %v", err)
	}
	must(t, cat.Settle(t.Context(), rebuild.Filling(w.Repo.ID()), w.Repo.ID()))
	return cat
}

func missing(p repository.Part) error {
	return &repository.DamageError{Key: repository.JournalKey(p.Scan, p.Part), Reason: "it is missing", Err: s3store.ErrNotExist}
}

func TestWhatIsReadTheSecondTimeIsNotLost(t *testing.T) {
	w := newWorld(t)
	w.History()
	once := map[string]error{
		"missing": s3store.ErrNotExist,
		"damaged": errors.New("it does not authenticate"),
	}
	for name, why := range once {
		cat := w.whole(t)
		j := newAnswering(w, func(p repository.Part, before int) error {
			if before == 0 {
				return &repository.DamageError{Key: repository.JournalKey(p.Scan, p.Part), Reason: why.Error(), Err: why}
			}
			return nil
		})
		report, err := rebuild.Sync(t.Context(), cat, w.Store, j, rebuild.Options{Recover: true})
		must(t, err)
		if len(report.Losses) != 0 {
			t.Errorf("%s: %+v", name, report.Losses)
		}
		if diff := cmp.Diff(tell(t, w.Cat), tell(t, cat)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// A store that does not answer, the first time or when it is asked again, proves nothing.
func TestWhatCannotBeReachedIsNotLost(t *testing.T) {
	w := newWorld(t)
	w.History()
	for _, first := range []bool{true, false} {
		cat, away := w.whole(t), errors.New("the connection broke")
		at := repository.Part{Scan: 2, Part: 2}
		j := newAnswering(w, func(p repository.Part, before int) error {
			switch {
			case p != at:
				return nil
			case first == (before == 0):
				return away
			}
			return missing(p)
		})
		if _, err := rebuild.Sync(t.Context(), cat, w.Store, j, rebuild.Options{Recover: true}); !errors.Is(err, away) {
			t.Errorf("got %v", err)
		}
		if s, err := cat.Scan(t.Context(), 2); err != nil || s.Parts != 2 {
			t.Errorf("%d parts of scan 2 are applied, %v", s.Parts, err)
		}
		_, err := w.Sync(cat, rebuild.Options{Recover: true})
		must(t, err)
		if diff := cmp.Diff(tell(t, w.Cat), tell(t, cat)); diff != "" {
			t.Error(diff)
		}
	}
}

// refusing is a catalog that does not take one part.
type refusing struct {
	catalogtest.Catalog
	scan, part int64
	why        error
}

func (r *refusing) Apply(ctx context.Context, b *catalog.Batch) error {
	if b.Scan == r.scan && b.Part == r.part && r.why != nil {
		return r.why
	}
	return r.Catalog.Apply(ctx, b)
}

// What a catalog that is whole cannot take in is no loss, whatever the reason.
func TestWhatCannotBeAppliedToAWholeCatalogStops(t *testing.T) {
	w := newWorld(t)
	w.History()
	for _, why := range []error{
		catalog.ErrInvalid, catalog.ErrDiverged, catalog.ErrUnavailable, catalog.ErrBehind, errors.Join(catalog.ErrInvalid, catalog.ErrCorrupt), errors.New("the disk is full"),
	} {
		for _, part := range []int64{0, 2} {
			cat := &refusing{w.whole(t), 2, part, why}
			if _, err := w.Sync(cat, rebuild.Options{Recover: true}); !errors.Is(err, why) {
				t.Errorf("%v: got %v", why, err)
			}
			if s, err := cat.Scan(t.Context(), 2); s.Parts != part || err != nil && !errors.Is(err, catalog.ErrNotFound) {
				t.Errorf("%v: %d parts are applied, not %d; %v", why, s.Parts, part, err)
			}
			cat.why = nil
			_, err := w.Sync(cat, rebuild.Options{Recover: true})
			must(t, err)
			if diff := cmp.Diff(tell(t, w.Cat), tell(t, cat)); diff != "" {
				t.Errorf("%v: afterwards: %s", why, diff)
			}
		}
	}
}

// Even while a catalog is filled, one that is damaged itself is not what is wrong with the journal.
func TestADamagedCatalogIsNoLoss(t *testing.T) {
	w := newWorld(t)
	w.History()
	cat := &refusing{newCatalog(t), 2, 2, errors.Join(catalog.ErrInvalid, catalog.ErrCorrupt)}
	if _, err := w.Sync(cat, rebuild.Options{Recover: true}); !errors.Is(err, catalog.ErrCorrupt) {
		t.Errorf("got %v", err)
	}
}

// An object that is authentic and another one than later ones build upon may be right, and they wrong.
func TestAWholeCatalogDoesNotGoAroundAnExchange(t *testing.T) {
	w := newWorld(t)
	w.History()
	older := w.Fork(3)
	key := repository.JournalKey(3, 2)
	w.During(key, w.Damages(older, key, w.Journal())["replaced by an older version"], func() {
		var loss *rebuild.LossError
		if _, err := w.Sync(w.whole(t), rebuild.Options{Recover: true}); !errors.As(err, &loss) || loss.Scan != 3 || !errors.Is(err, catalog.ErrInvalid) {
			t.Errorf("a whole catalog: %v", err)
		}
		if report, err := w.Sync(newCatalog(t), rebuild.Options{Recover: true}); err != nil || len(report.Losses) == 0 {
			t.Errorf("one that is filled: %+v, %v", report, err)
		}
	})
}

// A part that its writer applies while somebody else finds it gone is not lost.
func TestAPartThatIsAppliedMeanwhileIsNotLost(t *testing.T) {
	w := newWorld(t)
	w.History()
	cat := w.whole(t)
	at := repository.Part{Scan: 2, Part: 2}
	b, _, err := w.Repo.GetPartAny(t.Context(), at.Scan, at.Part)
	must(t, err)
	racing := &racing{cat, func() { must(t, cat.Apply(t.Context(), b)) }, at}
	j := newAnswering(w, func(p repository.Part, _ int) error {
		if p == at {
			return missing(p)
		}
		return nil
	})
	report, err := rebuild.Sync(t.Context(), racing, w.Store, j, rebuild.Options{Recover: true})
	must(t, err)
	if len(report.Losses) != 0 {
		t.Errorf("%+v", report.Losses)
	}
	if diff := cmp.Diff(tell(t, w.Cat), tell(t, cat)); diff != "" {
		t.Error(diff)
	}
}

// racing is a catalog to which another writer applies a part as soon as the one before it is there.
type racing struct {
	catalogtest.Catalog
	other func()
	at    repository.Part
}

func (r *racing) Apply(ctx context.Context, b *catalog.Batch) error {
	err := r.Catalog.Apply(ctx, b)
	if b.Scan == r.at.Scan && b.Part == r.at.Part-1 {
		r.other()
	}
	return err
}

// Nobody is to blame for a scan of which nothing is left: what other directories' scans told is all there.
func TestALostScanDoesNotMakeOthersPartial(t *testing.T) {
	w := newWorld(t)
	w.Tree(w.Begin(0, "/one"))
	w.Begin(1, "/two").End()
	w.Begin(2, "/one").End()
	for part := range int64(2) {
		must(t, w.Store.Delete(t.Context(), repository.JournalKey(1, part)))
	}
	cat := newCatalog(t)
	report, err := w.Sync(cat, rebuild.Options{Recover: true})
	must(t, err)
	if len(report.Losses) != 1 || report.Losses[0].Scan != 1 {
		t.Errorf("%+v", report.Losses)
	}
	for _, n := range []int64{0, 2} {
		if s, err := cat.Scan(t.Context(), n); s.State != catalog.Complete || err != nil {
			t.Errorf("scan %d is %v, %v", n, s.State, err)
		}
	}
}

// A replay that ended after a loss knows of it when it goes on: the scan's end says so, and overlaps are mended.
func TestALossIsRememberedWhenAReplayGoesOn(t *testing.T) {
	w := newWorld(t)
	w.History()
	must(t, w.Store.Delete(t.Context(), repository.JournalKey(2, 2)))
	at, err := lastPart(w, 2)
	must(t, err)
	cat := &refusing{w.whole(t), 2, at, errors.New("the disk is full")}
	report, err := w.Sync(cat, rebuild.Options{Recover: true})
	if !errors.Is(err, cat.why) || len(report.Losses) != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	cat.why = nil
	_, err = w.Sync(cat, rebuild.Options{Recover: true})
	must(t, err)
	if s, err := cat.Scan(t.Context(), 2); s.State != catalog.Partial || err != nil {
		t.Errorf("the scan is %v, %v", s.State, err)
	}
}

func lastPart(w *testWorld, scan int64) (last int64, err error) {
	err = w.Repo.Parts(w.T.Context(), scan, func(p repository.Part) error {
		if p.Scan == scan {
			last = max(last, p.Part)
		}
		return nil
	})
	return last, err
}

// What was lost and comes back, as from an older version of the bucket, is taken in by a rebuild of the emptied catalog.
func TestWhatComesBackIsTakenIn(t *testing.T) {
	w := newWorld(t)
	w.History()
	cat := w.whole(t)
	w.During(repository.JournalKey(2, 2), nil, func() {
		report, err := w.Sync(cat, rebuild.Options{Recover: true})
		must(t, err)
		if !slices.ContainsFunc(report.Losses, func(l rebuild.Loss) bool { return l.Key == repository.JournalKey(2, 2) }) {
			t.Errorf("%+v", report.Losses)
		}
	})
	if cmp.Diff(tell(t, w.Cat), tell(t, cat)) == "" {
		t.Error("nothing was lost")
	}
	must(t, cat.Reset(t.Context()))
	_, err := rebuild.Run(t.Context(), cat, w.Store, w.Repo, rebuild.Options{Recover: true})
	must(t, err)
	if diff := cmp.Diff(tell(t, w.Cat), tell(t, cat)); diff != "" {
		t.Error(diff)
	}
}
