package test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bus3/bus3/test/tree"
)

// lost removes what a rig has locally, but the key.
func (r *rig) loseLocal() {
	r.t.Helper()
	for _, dir := range []string{".local", ".cache"} {
		if err := os.RemoveAll(filepath.Join(r.home, dir)); err != nil {
			r.t.Fatal(err)
		}
	}
}

// history makes three backups of a directory that changes, and returns it.
func (r *rig) history() (source string) {
	source = r.path("source")
	write(r.t, source, "dir/a", "x", "dir/deeper/b", string(noise(1, 1<<20)), "c", "c")
	r.backup(source)
	write(r.t, source, "dir/a", "xx", "d", string(noise(2, 1<<20)))
	r.backup(source)
	if err := os.Remove(filepath.Join(source, "c")); err != nil {
		r.t.Fatal(err)
	}
	write(r.t, source, "last/of/all", "e")
	r.backup(source)
	return source
}

func TestALostCatalogIsRebuiltAndBackupsGoOn(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		source := r.history()
		before := r.bus3("list", "--json")
		r.fails(1, "--replace", "rebuild")
		other := r.with("BUS3_CATALOG=" + r.otherCatalog())
		other.bus3("rebuild")
		local := r.with("BUS3_CATALOG=") // and, on another machine, into a file
		r.loseLocal()
		local.bus3("rebuild")
		for name, c := range map[string]*rig{"a named catalog": other, "a local catalog": local} {
			if after := c.bus3("list", "--json"); after != before {
				t.Errorf("%s lists\n%snot\n%s", name, after, before)
			}
			c.bus3("restore", "all", r.path("restored in "+name))
			same(t, name, source, r.path("restored in "+name), restored())
			if out := c.bus3("check", "--read-data"); !strings.Contains(out, "all is well") {
				t.Errorf("%s: check says\n%s", name, out)
			}
		}
		if s := other.backup(source); s.Scan != 3 || s.BytesRead != 0 || s.DataAdded != 0 {
			t.Errorf("the next backup: %+v", s)
		}
		r.bus3("rebuild", "--replace")
		if scans := r.scans(); len(scans) != 4 {
			t.Errorf("the first catalog, made anew, lists %+v", scans)
		}
	})
}

// otherCatalog is the URL of a catalog of the same kind, which nobody has used.
func (r *rig) otherCatalog() string {
	for i := len(r.env) - 1; i >= 0; i-- {
		if url, ok := strings.CutPrefix(r.env[i], "BUS3_CATALOG="); ok && strings.HasPrefix(url, "postgres") {
			return stage.postgres(r.t).Database(r.t)
		}
	}
	return "sqlite://" + r.path("other.db")
}

func TestARebuildGoesAroundWhatIsLostAndTellsIt(t *testing.T) {
	t.Parallel()
	r := newRig(t, combination{})
	r.bus3("init")
	source := r.history()
	journal := r.stored("journal/0000000000")
	gone := journal[len(journal)-1]
	if err := os.Remove(gone); err != nil {
		t.Fatal(err)
	}
	key, err := filepath.Rel(r.objects, gone)
	if err != nil {
		t.Fatal(err)
	}
	if stdout, _, code := r.try("check"); code != 1 || !strings.Contains(stdout, key+" of scan 0 ("+source) {
		t.Errorf("check: code %d\n%s", code, stdout)
	}
	other := r.with("BUS3_CATALOG=sqlite://" + r.path("other.db"))
	stdout, stderr, code := other.try("rebuild", "--json")
	var report struct {
		Losses []struct{ Key, Root string }
	}
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &report); err != nil || code != 3 {
		t.Fatalf("rebuild: code %d, %v\n%s%s", code, err, stdout, stderr)
	}
	if len(report.Losses) != 1 || report.Losses[0].Key != key || report.Losses[0].Root != source {
		t.Errorf("losses: %+v", report.Losses)
	}
	other.fails(3, key, "rebuild", "--replace")
	other.bus3("restore", "all", r.path("restored"), "2") // what scans 1 and 2 told is there
	if got := read(t, r.path("restored", "d")); got != string(noise(2, 1<<20)) {
		t.Error("a file of scan 1 is not what it was")
	}
	// Packs tell their own chunks: the next backup reads what it does not know, and stores none of it again.
	if s := other.backup(source); s.DataAdded != 0 {
		t.Errorf("the next backup: %+v", s)
	}
	bare := r.with("BUS3_CATALOG=") // a reader warns, and goes on
	r.loseLocal()
	if _, stderr, code := bare.try("list"); code != 0 || !strings.Contains(stderr, key) {
		t.Errorf("list: code %d\n%s", code, stderr)
	}
}

func TestReplicasAreMadeOnceAndAnewWhenTheyAreDamaged(t *testing.T) {
	t.Parallel()
	r := newRig(t, combination{})
	r.bus3("init")
	r.history()
	want := r.bus3("list")
	bare := r.with("BUS3_CATALOG=")
	r.loseLocal()
	var all sync.WaitGroup
	for range 6 {
		all.Go(func() {
			if got, stderr, code := bare.try("list"); got != want || stderr != "" || code != 0 {
				t.Errorf("one of several at once: code %d\n%s%s", code, got, stderr)
			}
		})
	}
	all.Wait()
	for _, replica := range r.glob(filepath.Join(r.home, ".cache", "bus3", "replicas", "*.db")) {
		for _, suffix := range []string{"-wal", "-shm"} {
			_ = os.Remove(replica + suffix)
		}
		if err := os.WriteFile(replica, noise(1, 1<<16), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if got, stderr, code := bare.try("list"); got != want || code != 0 || !strings.Contains(stderr, "anew") {
		t.Errorf("with a damaged replica: code %d\n%s%s", code, got, stderr)
	}
	if got, stderr, _ := bare.try("list"); got != want || stderr != "" {
		t.Errorf("afterwards: %s%s", got, stderr)
	}
}

func TestWhoMayOnlyReadTheStoreReadsEverything(t *testing.T) {
	t.Parallel()
	r := newRig(t, combination{s3: true})
	r.bus3("init")
	source := r.history()
	r.loseLocal()
	s3 := stage.versity(t)
	bare := r.with(append(s3.Reader(t, filepath.Base(r.objects)).Env(), "BUS3_CATALOG=")...)
	if s := bare.scans(); len(s) != 3 {
		t.Errorf("list: %+v", s)
	}
	if out := bare.bus3("ls", "2", "last/of"); !strings.Contains(out, "all") {
		t.Errorf("ls:\n%s", out)
	}
	if out := bare.bus3("check", "--read-data"); !strings.Contains(out, "all is well") {
		t.Errorf("check:\n%s", out)
	}
	bare.bus3("restore", "all", r.path("restored"))
	same(t, "what was restored", source, r.path("restored"), restored())
	same(t, "the mount", source, filepath.Join(bare.mount(), "2"), tree.Ignore{})
	if _, stderr, code := bare.try("backup", source); code == 0 {
		t.Errorf("who may not write has backed up\n%s", stderr)
	}
}

// A dump that was taken before the last backups is restored, and a part of the journal after it is lost: what is behind that
// part is there, and the number that the dump would give next is taken.
func TestAnOldDumpOfTheCatalogCatchesUpAroundALostPart(t *testing.T) {
	t.Parallel()
	r := newRig(t, combination{postgres: true})
	r.bus3("init")
	source := r.path("source")
	write(t, source, "a", "x")
	r.backup(source)
	dump := stage.postgres(t).Copy(t, r.setting("BUS3_CATALOG"))
	write(t, source, "b", "y")
	r.backup(source)
	r.backup("--host", "another", source)
	r.backup(source)
	old := r.with("BUS3_CATALOG=" + dump)
	if out, stderr, code := old.try("check"); code != 0 || !strings.Contains(stderr, "behind") {
		t.Errorf("check of an old dump: code %d\n%s%s", code, out, stderr)
	}
	if err := os.Remove(r.stored("journal/0000000001")[1]); err != nil {
		t.Fatal(err)
	}
	write(t, source, "c", "z")
	stdout, stderr, code := old.try("backup", "--json", source)
	if code != 3 || !strings.Contains(stderr, "journal/0000000001/00000001") {
		t.Errorf("code %d, want 3\n%s%s", code, stdout, stderr)
	}
	if s := r.parse(stdout); s.Scan != 4 {
		t.Errorf("the backup: %+v", s)
	}
	numbers := map[int64]bool{}
	for _, s := range old.scans("--all") {
		if numbers[s.Number] {
			t.Errorf("two scans have the number %d", s.Number)
		}
		numbers[s.Number] = true
	}
	if len(numbers) != 5 {
		t.Errorf("there are %d scans", len(numbers))
	}
	old.bus3("restore", "all", r.path("restored"))
	same(t, "what was restored", source, r.path("restored"), restored())
}
