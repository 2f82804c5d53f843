//go:build failpoints

package backup

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"syscall"
	"testing"

	"filippo.io/age"

	"github.com/bus3/bus3/catalog/failpoint"
	"github.com/bus3/bus3/catalog/sqlite"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
)

// points is the names of all fail points of this package, out of its sources.
func points(t *testing.T) []string {
	t.Helper()
	var out []string
	files, err := filepath.Glob("*.go")
	must(t, err)
	direct, ofBatch := regexp.MustCompile(`failpoint\.Hit\("(backup[^"]*[^."])"\)`), regexp.MustCompile(`\bhit\(b, "([^"]+)"\)`)
	for _, file := range files {
		source, err := os.ReadFile(file)
		must(t, err)
		if regexp.MustCompile(`_test\.go$`).MatchString(file) {
			continue
		}
		for _, m := range direct.FindAllSubmatch(source, -1) {
			out = append(out, string(m[1]))
		}
		for _, m := range ofBatch.FindAllSubmatch(source, -1) {
			for _, kind := range []string{"begin", "batch", "end"} {
				out = append(out, "backup."+kind+"."+string(m[1]))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

const victimVariable = "BUS3_TEST_VICTIM"

// TestVictim is the process that is killed.
func TestVictim(t *testing.T) {
	dir := os.Getenv(victimVariable)
	if dir == "" {
		return // nobody's victim
	}
	w := reopen(t, filepath.Join(dir, "tree"), dir)
	if _, err := Run(t.Context(), w.cat, w.store, w.repo, withTiny(w)); err != nil {
		t.Fatal(err)
	}
}

func withTiny(w *world) Options {
	o := w.options()
	tiny(&o)
	return o
}

// reopen is a world that exists already.
func reopen(t *testing.T, root, dir string) *world {
	t.Helper()
	inner, err := s3store.Open(t.Context(), "file://"+filepath.Join(dir, "store"), s3store.Options{})
	must(t, err)
	store := &spy{Store: inner}
	key, err := os.ReadFile(filepath.Join(dir, "key"))
	must(t, err)
	unlock, err := repository.UnlockFile(key, nil)
	must(t, err)
	repo, err := repository.Open(t.Context(), store, unlock...)
	must(t, err)
	db := filepath.Join(dir, "catalog.db")
	cat, err := sqlite.Open(t.Context(), db, sqlite.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, cat.Close()) })
	return &world{t: t, root: root, dir: dir, store: store, repo: repo, cat: cat, db: db}
}

func TestNothingIsLostWhereverTheProcessIsKilled(t *testing.T) {
	all := points(t)
	if len(all) < 25 {
		t.Fatalf("only %d fail points: %q", len(all), all)
	}
	passed := 0
	for _, point := range all {
		t.Run(point, func(t *testing.T) {
			dir := quickDir(t)
			must(t, os.Mkdir(filepath.Join(dir, "tree"), 0o755))
			id, err := age.GenerateX25519Identity()
			must(t, err)
			must(t, os.WriteFile(filepath.Join(dir, "key"), []byte(id.String()+"\n"), 0o600))
			wrap, err := repository.WrapRecipient("test", id.Recipient().String())
			must(t, err)
			inner, err := s3store.Open(t.Context(), "file://"+filepath.Join(dir, "store"), s3store.Options{})
			must(t, err)
			repo, err := repository.Init(t.Context(), inner, repository.Chunking{}, wrap)
			must(t, err)
			w := reopen(t, filepath.Join(dir, "tree"), dir)
			must(t, w.cat.Claim(t.Context(), repo.ID()))
			w.grow()
			first := onDisk(t, w.root)
			w.backup(tiny)
			w.disturb()
			w.store.refuse = func(_ string, count int) error {
				if count > 6 { // some packs are stored by then, and there is something to adopt
					return errBroken
				}
				return nil
			}
			w.store.reset()
			w.breaks(w.cat)
			w.store.refuse = nil
			if kill(t, dir, point) {
				passed++
			}
			want := onDisk(t, w.root)
			w.recovers(want)
			w.same(0, first)
		})
	}
	if passed < 25 {
		t.Fatalf("only %d of %d fail points were passed", passed, len(all))
	}
}

// kill runs the victim and tells whether it was killed.
func kill(t *testing.T, dir, point string) bool {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run", "^TestVictim$", "-test.count=1")
	cmd.Env = append(os.Environ(), victimVariable+"="+dir, failpoint.Variable+"="+point)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.Sys().(syscall.WaitStatus).Signal() == syscall.SIGKILL {
		return true
	}
	if err != nil {
		t.Fatalf("the victim failed: %v\n%s", err, &out)
	}
	return false
}
