package test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/test/quick"
	"github.com/bus3/bus3/test/tree"
)

// killPoints are where backups are killed, in the order in which a run passes them.
func killPoints(c combination) []string {
	points := []string{
		"backup.locked",
		"backup.caught-up",
		"backup.begin.before-journal",
		"journal.sealed",
		"journal.stored",
		"backup.begin.after-journal",
		"backup.begin.before-apply",
		"begin.before-commit",
		"backup.begin.after-apply",
		"backup.fenced",
		"backup.begun",
		"backup.before-adopted",
		"backup.after-adopted",
		"backup.before-removed",
		"backup.before-moves",
		"backup.walked",
		"backup.after-moves",
		"backup.before-late",
		"backup.segment-sealed",
		"backup.segment-sealed:3",
		"backup.pack-full",
		"backup.before-pack",
		"backup.after-pack",
		"backup.after-pack:2",
		"backup.batch.packs-stored",
		"backup.batch.before-journal",
		"journal.sealed:3",
		"journal.stored:3",
		"backup.batch.after-journal",
		"backup.batch.before-apply",
		"apply.begun",
		"apply.table",
		"apply.table:4",
		"apply.inserted",
		"apply.closed",
		"apply.before-commit",
		"apply.before-commit:3",
		"backup.batch.after-apply",
		"backup.batch.done",
		"backup.before-end",
		"backup.end.packs-stored",
		"backup.end.before-journal",
		"backup.end.after-journal",
		"backup.end.before-apply",
		"backup.end.after-apply",
		"backup.end.done",
	}
	if c.s3 {
		return append(points, "s3.before-put", "s3.sending", "s3.after-put", "s3.before-new", "s3.after-new:2")
	}
	return append(points, "dir.before-fsync", "dir.before-rename", "dir.after-rename", "dir.before-link", "dir.after-link", "dir.after-link:2")
}

func TestNothingIsLostWhereverABackupIsKilled(t *testing.T) {
	t.Parallel()
	for _, c := range []combination{{false, false}, {true, true}} {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, c)
			points := killPoints(c)
			if all := slices.Compact(slices.Sorted(slices.Values(points))); len(all) < 25 || len(all) != len(points) {
				t.Fatalf("%d points, %d of them different", len(points), len(all))
			}
			for _, point := range points {
				t.Run(point, func(t *testing.T) {
					t.Parallel()
					s.copy(t).survives(s, point)
				})
			}
		})
	}
}

// survives kills a backup at a point and holds what is left to what must be.
func (r *rig) survives(s *scene, point string) {
	t := r.t
	t.Helper()
	r.dies(point, "backup", s.source)
	left := stored(t, r.objects)
	store, found := r.open(s.key), r.catalog()
	whole := store.rebuilt(t)
	found.keeps(t, "after the kill", s.before)
	if n := r.checks(whole, left); n == 0 && strings.HasPrefix(point, "backup.after-pack") {
		t.Error("a pack was stored that nobody knows of, and it is not garbage")
	}

	done := r.at("").backup(s.source)
	now := r.catalog()
	agree(t, "a rebuild", now, store.rebuilt(t))
	now.keeps(t, "after the next backup", found)
	now.keeps(t, "after the next backup", whole)
	objects := stored(t, r.objects)
	for key, sum := range left {
		if objects[key] != sum {
			t.Errorf("%s was removed or replaced", key)
		}
	}
	newest := now.Scans[len(now.Scans)-1]
	if newest.Number != done.Scan || newest.State != catalog.Complete || len(now.Scans) != int(done.Scan)+1 {
		t.Errorf("the newest of %d scans, after a backup with number %d, is %+v", len(now.Scans), done.Scan, newest)
	}
	r.checks(now, objects)
	r.bus3("restore", "all", r.path("restored"))
	if lines := tree.Diff(s.want, record(t, r.path("restored")), restored()); len(lines) > 0 {
		t.Errorf("what was restored differs from the source:\n%s", strings.Join(lines[:min(len(lines), 30)], "\n"))
	}
}

// keeps demands that a catalog still tells all that it had told before, but for until when entries last and how
// interrupted scans went on.
func (a account) keeps(t *testing.T, when string, before account) {
	t.Helper()
	for i, scan := range before.Scans {
		if i >= len(a.Scans) || a.Scans[i].Number != scan.Number || a.Scans[i].Source != scan.Source || a.Scans[i].Parts < scan.Parts {
			t.Errorf("%s, scan %d is not what it was: %+v", when, scan.Number, a.Scans)
			return
		}
		if scan.State.Finished() && !slices.Equal(before.Trees[scan.Number], a.Trees[scan.Number]) {
			t.Errorf("%s, the tree of scan %d is another one", when, scan.Number)
		}
	}
	for _, line := range before.Packs {
		if _, found := slices.BinarySearch(a.Packs, line); !found {
			t.Errorf("%s, the catalog does not know: %s", when, line)
		}
	}
}

// checks demands that `bus3 check` finds no fault, and names what is garbage and nothing else: packs that neither the
// catalog nor the journal tell of. It returns how many there are.
func (r *rig) checks(a account, objects map[string][32]byte) (garbage int) {
	r.t.Helper()
	known := strings.Join(a.Packs, "\n")
	out := r.bus3("check", "--read-data")
	for key := range objects {
		id, ok := pack.ParseKey(key)
		if !ok {
			continue
		}
		needed := strings.Contains(known, "Key:"+id.String())
		if !needed {
			garbage++
		}
		if named := strings.Contains(out, key); named == needed {
			r.t.Errorf("%s is needed: %v, and check says:\n%s", key, needed, out)
		}
	}
	return garbage
}

// TestARebuildGoesOnWhereverItIsKilled kills rebuilds in the middle of transactions and between them.
func TestARebuildGoesOnWhereverItIsKilled(t *testing.T) {
	t.Parallel()
	for _, c := range []combination{{false, false}, {true, true}} {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			s := newScene(t, c)
			s.at("").backup(s.source)
			want := s.catalog()
			for _, point := range []string{"begin.before-commit", "begin.before-commit:3", "apply.begun", "apply.table:7", "apply.closed:2", "apply.before-commit:3"} {
				db := "sqlite://" + filepath.Join(quick.Dir(t), "new.db")
				if c.postgres {
					db = stage.postgres(t).Database(t)
				}
				r := s.with("BUS3_CATALOG=" + db)
				r.dies(point, "rebuild")
				r.bus3("rebuild")
				agree(t, "a rebuild that was killed at "+point+" and run again", want, r.catalog())
				if next := r.at("").backup(s.source); next.New+next.Changed+next.Removed != 0 {
					t.Errorf("a backup after it: %+v", next)
				}
				want = r.catalog()
			}
		})
	}
}
