package test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

// libpq is where a database is, as variables for psql and pg_dump.
func libpq(t *testing.T, url string) []string {
	t.Helper()
	c, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	return []string{"PGHOST=" + c.Host, "PGPORT=" + strconv.Itoa(int(c.Port)), "PGUSER=" + c.User, "PGPASSWORD=" + c.Password, "PGDATABASE=" + c.Database}
}

// TestTheDrillLosesNothing runs drill.sh, which documentation quotes.
func TestTheDrillLosesNothing(t *testing.T) {
	t.Parallel()
	script, err := filepath.Abs("drill.sh")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, combination{postgres: true, s3: true})
	if err := os.Mkdir(r.path("work"), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", script)
	cmd.Dir = r.dir
	cmd.Env = append(append(r.with("BUS3_STORE=", "BUS3_CATALOG=").env, libpq(t, r.setting("BUS3_CATALOG"))...),
		"BUS3="+stage.program, "STORE="+r.store, "WORK="+r.path("work"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the drill: %v\n%s", err, out)
	}
	if n := strings.Count(string(out), "identical: "); n != 6 {
		t.Errorf("%d of 6 records were compared:\n%s", n, out)
	}
}

// TestACatalogFromAnOldDumpCatchesUp goes back to what a catalog was before the newest backups.
func TestACatalogFromAnOldDumpCatchesUp(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		source, other := r.path("source"), r.path("other")
		write(t, source, "a", "0", "big", string(noise(1, 700<<10)))
		r.backup(source)
		restore := r.dump()
		for i := 1; i <= 3; i++ {
			write(t, source, "a", fmt.Sprint(i), fmt.Sprint("new", i), string(noise(uint64(i), 300<<10)))
			write(t, other, "b", fmt.Sprint(i))
			r.backup("--host", "far", other)
			r.backup(source)
		}
		recent := r.catalog()
		restore()
		if old := r.catalog(); len(old.Scans) != 1 {
			t.Fatalf("the old dump has %d scans", len(old.Scans))
		}
		s := r.backup(source)
		if s.Scan != 7 || s.DataAdded != 0 || s.New+s.Changed+s.Removed != 0 {
			t.Errorf("the backup on the old dump: %+v", s)
		}
		now := r.catalog()
		store := r.open(filepath.Join(r.home, ".config", "bus3", "key.txt"))
		agree(t, "a rebuild", now, store.rebuilt(t))
		now.keeps(t, "after the backup on the old dump", recent)
		for i, scan := range now.Scans {
			if scan.Number != int64(i) || len(now.Scans) != 8 {
				t.Errorf("of %d scans, number %d comes at %d", len(now.Scans), scan.Number, i)
			}
		}
		r.checks(now, stored(t, r.objects))
		// Another source, whose own scans the old dump did not know either.
		restore()
		if s := r.backup("--host", "far", other); s.Scan != 8 || s.DataAdded != 0 {
			t.Errorf("the backup of another source on the old dump: %+v", s)
		}
		agree(t, "a rebuild", r.catalog(), store.rebuilt(t))
	})
}

// dump saves the rig's catalog as an administrator would, and returns what restores it.
func (r *rig) dump() (restore func()) {
	r.t.Helper()
	catalog := r.setting("BUS3_CATALOG")
	if path, ok := strings.CutPrefix(catalog, "sqlite://"); ok {
		sh(r.t, "sqlite3", path, ".backup "+r.path("old.db"))
		return func() {
			for _, name := range r.glob(path + "*") {
				if err := os.Remove(name); err != nil {
					r.t.Fatal(err)
				}
			}
			sh(r.t, "cp", r.path("old.db"), path)
		}
	}
	run := func(program string, args ...string) {
		cmd := exec.Command(program, args...)
		cmd.Env = append(os.Environ(), libpq(r.t, catalog)...)
		if out, err := cmd.CombinedOutput(); err != nil {
			r.t.Fatalf("%s %q: %v\n%s", program, args, err, out)
		}
	}
	run("pg_dump", "--file="+r.path("old.sql"), "--clean", "--if-exists")
	return func() { run("psql", "--quiet", "--no-psqlrc", "--set=ON_ERROR_STOP=1", "--file="+r.path("old.sql")) }
}
