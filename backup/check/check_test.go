package check_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/bus3/bus3/backup/check"
	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/s3store/repository"
	"github.com/bus3/bus3/test/world"
)

// findings are what a check has found.
type findings []check.Finding

// of are the findings of a severity.
func (f findings) of(s check.Severity) (out findings) {
	for i := range f {
		if f[i].Severity == s {
			out = append(out, f[i])
		}
	}
	return out
}

func (f findings) String() string {
	var b strings.Builder
	for i := range f {
		fmt.Fprintf(&b, "%s %s %s scan %d: %s %v\n", f[i].Severity, f[i].Kind, f[i].Key, f[i].Scan, f[i].Message, f[i].Paths)
	}
	return b.String()
}

// run checks, which must come to its end.
func run(t *testing.T, cat check.Catalog, store check.Store, repo check.Repository, o check.Options) (*check.Report, findings) {
	t.Helper()
	var all findings
	o.Found = func(f check.Finding) { all = append(all, f) }
	r, err := check.Run(t.Context(), cat, store, repo, o)
	must(t, err)
	if int(r.Faults) != len(all.of(check.Fault)) || int(r.GarbageObjects) != len(all.of(check.Garbage)) || int(r.Notes) != len(all.of(check.Note)) {
		t.Errorf("%+v counts other things than\n%s", r, all)
	}
	return r, all
}

func checked(t *testing.T, w *world.World, o check.Options) (*check.Report, findings) {
	t.Helper()
	return run(t, w.Cat, w.Store, w.Repo, o)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestASoundRepositoryHasNoFaults(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.History()
	r, all := checked(t, w, check.Options{ReadData: true})
	if len(all) != 0 {
		t.Errorf("found\n%s", all)
	}
	if r.Scans != 5 || int(r.JournalObjects) != len(w.Journal()) || r.Packs != 13 || r.PacksRead != 13 || r.BytesRead != r.PackBytes {
		t.Errorf("%+v", r)
	}
}

func TestACatalogOfAnotherRepositoryIsNotChecked(t *testing.T) {
	t.Parallel()
	w, other := world.New(t), world.New(t)
	if _, err := check.Run(t.Context(), other.Cat, w.Store, w.Repo, check.Options{}); !errors.Is(err, catalog.ErrOtherRepository) {
		t.Errorf("got %v", err)
	}
}

func TestEveryDamagedJournalObjectIsAFault(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.History()
	all := w.Journal()
	older := w.Fork(3)
	for _, key := range all {
		for what, body := range w.Damages(older, key, all) {
			t.Run(what+" "+key, func(t *testing.T) {
				w.During(key, body, func() {
					_, got := checked(t, w, check.Options{})
					judge(t, key, what, got.of(check.Fault))
				})
			})
		}
	}
}

func judge(t *testing.T, key, what string, faults findings) {
	scan, part, _ := repository.ParseJournalKey(key)
	for _, f := range faults {
		named := f.Key == key || f.Key == repository.JournalKey(scan, part+1) || f.Kind == check.JournalChain && strings.Contains(f.Message, fmt.Sprintf("scan %d", scan))
		if !named || !strings.Contains(f.Message, fmt.Sprintf("scan %d", f.Scan)) || !strings.Contains(f.Message, "here") {
			t.Errorf("%s: %s", f.Key, f.Message)
		}
	}
	kinds := map[string]check.Kind{"removed": check.JournalMissing, "replaced by an older version": check.JournalChain}
	kind, ok := kinds[what]
	if !ok {
		kind = check.JournalDamaged
	}
	if !slices.ContainsFunc(faults, func(f check.Finding) bool { return f.Kind == kind && (f.Key == key || kind == check.JournalChain) }) {
		t.Errorf("no fault of kind %s names it:\n%s", kind, faults)
	}
}

func TestAScanOfWhichNothingIsLeftIsAFault(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.History()
	cat := world.Catalog(t) // one that never had the scan: it was filled from what is left
	must(t, cat.Claim(t.Context(), w.Repo.ID()))
	for _, key := range w.Journal() {
		if scan, _, _ := repository.ParseJournalKey(key); scan != 4 {
			must(t, w.Store.Delete(t.Context(), key))
		}
	}
	_, all := run(t, cat, w.Store, w.Repo, check.Options{})
	for scan := range int64(4) {
		if !slices.ContainsFunc(all.of(check.Fault), func(f check.Finding) bool { return f.Scan == scan && f.Kind == check.JournalMissing }) {
			t.Errorf("scan %d is not named:\n%s", scan, all)
		}
	}
}

func TestWhatTheCatalogLacksIsTold(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.Tree(w.Begin(0, "/one"))
	old := world.Catalog(t)
	_, err := w.Sync(old, rebuild.Options{})
	must(t, err)
	w.Tree(w.Begin(1, "/one"))
	w.Tree(w.Begin(2, "/two"))
	r, all := run(t, old, w.Store, w.Repo, check.Options{ReadData: true})
	if r.Faults != 0 || r.Behind != 10 || len(all.of(check.Note)) != 2 {
		t.Errorf("%+v\n%s", r, all)
	}
}

func TestGarbageIsNamedAndCountedAndNoFault(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.History()
	var key catalog.PackID
	key[0], key[15] = 0x12, 0x34
	bodies := map[string]check.Kind{pack.Key(key): check.Unused, "journal/x": check.Foreign, "hello.txt": check.Foreign}
	for k := range bodies {
		must(t, w.Store.Put(t.Context(), k, []byte("garbage")))
	}
	w.Begin(5, "/one") // never gone on
	w.Tree(w.Begin(6, "/one"))
	r, all := checked(t, w, check.Options{ReadData: true})
	if r.Faults != 0 || r.GarbageObjects != 3 || r.GarbageBytes != 21 {
		t.Errorf("%+v\n%s", r, all)
	}
	for _, f := range all.of(check.Garbage) {
		if bodies[f.Key] != f.Kind {
			t.Errorf("%s is %s", f.Key, f.Kind)
		}
	}
	if notes := all.of(check.Note); len(notes) != 1 || notes[0].Kind != check.Unfinished || notes[0].Scan != 5 {
		t.Errorf("notes:\n%s", notes)
	}
}

func TestAMarkerOrAKeyThatIsDamagedIsAFault(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.Tree(w.Begin(0, "/one"))
	w.During(repository.Marker, nil, func() {
		if _, all := checked(t, w, check.Options{}); len(all) != 1 || all[0].Kind != check.MarkerMissing {
			t.Errorf("found\n%s", all)
		}
	})
	var name string
	must(t, w.Store.List(t.Context(), repository.KeysPrefix, "", func(o s3store.Object) error { name = o.Key; return nil }))
	w.During(name, []byte("no key"), func() {
		if _, all := checked(t, w, check.Options{}); len(all) != 1 || all[0].Kind != check.KeyDamaged || all[0].Key != name {
			t.Errorf("found\n%s", all)
		}
	})
}

func TestACheckEndsWhenItsContextDoes(t *testing.T) {
	t.Parallel()
	w := world.New(t)
	w.History()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := check.Run(ctx, w.Cat, w.Store, w.Repo, check.Options{ReadData: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
