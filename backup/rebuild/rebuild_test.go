package rebuild_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/repository"
)

func TestARebuiltCatalogTellsTheSame(t *testing.T) {
	w := newWorld(t)
	w.History()
	cat := newCatalog(t)
	report, err := rebuild.Run(t.Context(), cat, w.Store, w.Repo, rebuild.Options{})
	must(t, err)
	if diff := cmp.Diff(tell(t, w.Cat), tell(t, cat)); diff != "" {
		t.Error(diff)
	}
	if int(report.Parts) != len(w.Journal()) || len(report.Unfinished) != 0 {
		t.Errorf("%+v of %d objects", report, len(w.Journal()))
	}
}

func TestAFilledCatalogIsNotRebuilt(t *testing.T) {
	w := newWorld(t)
	w.History()
	if _, err := rebuild.Run(t.Context(), w.Cat, w.Store, w.Repo, rebuild.Options{}); !errors.Is(err, rebuild.ErrFilled) {
		t.Errorf("got %v", err)
	}
}

func TestACatalogOfAnotherRepositoryIsRefused(t *testing.T) {
	w, other := newWorld(t), newWorld(t)
	if _, err := w.Sync(other.Cat, rebuild.Options{}); !errors.Is(err, catalog.ErrOtherRepository) {
		t.Errorf("got %v", err)
	}
}

func TestAnInterruptedRebuildGoesOn(t *testing.T) {
	w := newWorld(t)
	w.History()
	for stop := range len(w.Journal()) {
		cat := newCatalog(t)
		ctx, cancel := context.WithCancel(t.Context())
		_, err := rebuild.Run(ctx, cat, w.Store, w.Repo, rebuild.Options{Progress: func(p rebuild.Progress) {
			if p.Parts > int64(stop) {
				cancel()
			}
		}})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		_, err = rebuild.Run(t.Context(), cat, w.Store, w.Repo, rebuild.Options{})
		must(t, err)
		if diff := cmp.Diff(tell(t, w.Cat), tell(t, cat)); diff != "" {
			t.Errorf("interrupted after %d parts: %s", stop, diff)
		}
	}
}

func TestSyncAppliesOnlyWhatIsLacking(t *testing.T) {
	w := newWorld(t)
	old := newCatalog(t)
	w.Tree(w.Begin(0, "/one"))
	_, err := w.Sync(old, rebuild.Options{})
	must(t, err)
	s := w.Begin(1, "/one") // runs, while another one ends
	w.Tree(w.Begin(2, "/two"))
	report, err := w.Sync(old, rebuild.Options{})
	must(t, err)
	if report.Parts != 6 || !slices.Equal(report.Unfinished, []int64{1}) {
		t.Errorf("%+v", report)
	}
	w.Tree(s)
	report, err = w.Sync(old, rebuild.Options{})
	must(t, err)
	if report.Parts != 4 || len(report.Unfinished) != 0 {
		t.Errorf("%+v", report)
	}
	if diff := cmp.Diff(tell(t, w.Cat), tell(t, old)); diff != "" {
		t.Error(diff)
	}
}

// TestEveryDamagedObjectIsNamed damages each object of the journal in turn. The last object of all is the only one whose absence
// nothing in the store can prove: its scan counts as unfinished then.
func TestEveryDamagedObjectIsNamed(t *testing.T) {
	w := newWorld(t)
	w.History()
	all := w.Journal()
	older := w.Fork(3) // another past: scans 3 and 4 were written differently
	for _, key := range all {
		for what, body := range w.Damages(older, key, all) {
			t.Run(what+" "+key, func(t *testing.T) {
				w.During(key, body, func() { w.judge(t, key, what, all) })
			})
		}
	}
}

func (w *testWorld) judge(t *testing.T, key, what string, all []string) {
	scan, part, _ := repository.ParseJournalKey(key)
	report, err := rebuild.Sync(t.Context(), newCatalog(t), w.Store, w.Repo, rebuild.Options{})
	last := key == all[len(all)-1] || scan == 3 && part == 4 // the ends of the newest scans of both sources
	if what == "removed" && last {
		if err != nil || !slices.Contains(report.Unfinished, scan) {
			t.Errorf("%+v, %v", report, err)
		}
		return
	}
	var loss *rebuild.LossError
	if !errors.As(err, &loss) {
		t.Fatalf("got %v", err)
	}
	near := loss.Scan == scan && (loss.Part == part || loss.Part == part+1) // the one after it notices an exchange
	if following := loss.Scan > scan && strings.Contains(loss.Reason, fmt.Sprintf("scan %d", scan)); !near && !following {
		t.Errorf("%s was %s, and the error is: %v", key, what, err)
	}
	if loss.Host != "here" && part > 0 {
		t.Errorf("no word of whose scan it is: %v", err)
	}
}

// TestWhatTheRestTellsIsRecovered loses each object of the journal in turn.
func TestWhatTheRestTellsIsRecovered(t *testing.T) {
	w := newWorld(t)
	w.History()
	whole := tell(t, w.Cat)
	all := w.Journal()
	for _, key := range all {
		for what, body := range map[string][]byte{"removed": nil, "cut": []byte("cut")} {
			t.Run(what+" "+key, func(t *testing.T) {
				told := w.told(key)
				w.During(key, body, func() {
					cat := newCatalog(t)
					report, err := w.Sync(cat, rebuild.Options{Recover: true})
					must(t, err)
					w.judgeRecovery(t, key, what, told, report, whole, tell(t, cat))
				})
			})
		}
	}
}

func (w *testWorld) judgeRecovery(t *testing.T, key, what string, told []string, report *rebuild.Report, whole, got []string) {
	scan, part, _ := repository.ParseJournalKey(key)
	unprovable := what == "removed" && (scan == 4 && part == 2 || scan == 3 && part == 4)
	if named := slices.ContainsFunc(report.Losses, func(l rebuild.Loss) bool { return l.Key == key }); named == unprovable {
		t.Errorf("losses: %+v", report.Losses)
	}
	for _, line := range whole {
		if strings.HasPrefix(line, "scan ") || slices.Contains(got, line) || reborn(line, got) {
			continue
		}
		if !slices.Contains(told, entryID(line)) {
			t.Errorf("another part told it, and it is lost: %s", line)
		}
	}
}

// told are the IDs of the entries that a part of the journal opened.
func (w *testWorld) told(key string) (ids []string) {
	w.T.Helper()
	scan, part, _ := repository.ParseJournalKey(key)
	b, _, err := w.Repo.GetPartAny(w.T.Context(), scan, part)
	must(w.T, err)
	for i := range b.Opened {
		ids = append(ids, b.Opened[i].ID.String())
	}
	return ids
}

func entryID(line string) string { return strings.Fields(line[strings.LastIndex(line, "/"):])[1] }

// reborn tells whether what line tells is still there, with another end or at another path.
func reborn(line string, got []string) bool {
	return slices.ContainsFunc(got, func(l string) bool {
		return strings.Contains(l, " "+entryID(line)+" ") && strings.SplitN(l, ":", 2)[0] == strings.SplitN(line, ":", 2)[0]
	})
}
