package main

import (
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// laterRun is a run in a directory that may have results already.
func laterRun(t *testing.T, out string, files string) *bench {
	t.Helper()
	s, err := readSettings(func(name string) string {
		return map[string]string{"OUT": out, "FILES": files, "RESTIC": "-", "KOPIA": "-", "JUICEFS": "-"}[name]
	})
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{set: s, rows: allRows(s), results: results{}, fresh: map[string]bool{}}
	if err := b.remember(); err != nil {
		t.Fatal(err)
	}
	return b
}

func TestATableIsMeasuredInSeveralGoes(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	first := laterRun(t, out, "100")
	first.add("restore big", "bus3 sqlite", 5)
	first.add("restore big", "kopia", 6)
	first.add("mount ready", "bus3 sqlite", 0.1) // and then it is killed
	second := laterRun(t, out, "100")
	second.add("restore big", "bus3 sqlite", 3)
	second.add("restore big", "bus3 sqlite", 4)
	third := laterRun(t, out, "100")
	want := results{"restore big": {"bus3 sqlite": {3, 4}}, "mount ready": {"bus3 sqlite": {0.1}}}
	if diff := cmp.Diff(want, third.results); diff != "" || len(third.runs) != 2 || second.keepErr != nil {
		t.Errorf("%d runs, %v: %s", len(third.runs), second.keepErr, diff)
	}
	other := laterRun(t, out, "200")
	aside, err := filepath.Glob(filepath.Join(out, "bench-until-*.json"))
	if len(other.results) != 0 || len(aside) != 1 || err != nil {
		t.Errorf("a run with other sizes has %v, and put %q aside", other.results, aside)
	}
	if _, err := os.Stat(other.keptIn()); !os.IsNotExist(err) {
		t.Errorf("values of other sizes are still in their place: %v", err)
	}
}

func TestWhatIsLeftOut(t *testing.T) {
	b := &bench{set: &settings{Skip: regexp.MustCompile("^(?:" + leftOut + ")")}}
	for row, want := range map[string]bool{"mount cp -a usr": true, "requests 1 MiB of big: GETs": true, "restore usr": false, "backup usr": false} {
		if got := b.leavesOut(&restic{}, row); got != want {
			t.Errorf("restic is left out of %q: %v", row, got)
		}
		if b.leavesOut(&kopia{}, row) {
			t.Errorf("kopia is left out of %q", row)
		}
	}
}
