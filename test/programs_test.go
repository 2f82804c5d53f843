package test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sync/errgroup"
)

// workplace is a tree of what programs work with: a repository of git, a database, a program, a file that fio wrote, a
// sparse file, and many small ones.
func workplace(t *testing.T) string {
	return stage.tree(t, "workplace", func(dir string) error {
		if err := os.MkdirAll(filepath.Join(dir, "small"), 0o755); err != nil {
			return err
		}
		noise := rand.NewChaCha8([32]byte{1})
		for i := range 100 {
			data := make([]byte, i*400)
			_, _ = noise.Read(data) // never fails
			if err := os.WriteFile(filepath.Join(dir, "small", strconv.Itoa(i)), data, 0o644); err != nil {
				return err
			}
		}
		script := `set -e; cd "$1"
			mkdir git; cp small/* git; git -C git init -q
			git -C git add .; git -C git -c user.name=n -c user.email=e commit -qm first
			rm git/1?; echo more >>git/2; git -C git -c user.name=n -c user.email=e commit -qam second; git -C git gc -q
			sqlite3 db 'CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB); CREATE INDEX i ON t (b);
				WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM n WHERE x < 20000) INSERT INTO t SELECT x, randomblob(100) FROM n'
			cp "$(command -v sqlite3)" program
			truncate -s 1G sparse; printf end >>sparse
			fio --output=/dev/null --name=w --filename=fio --rw=write --size=8m ` + fioOptions
		out, err := unconfigured(exec.Command("sh", "-c", script, "sh", dir)).CombinedOutput()
		if err != nil {
			return fmt.Errorf("make the tree: %w\n%s", err, out)
		}
		return nil
	})
}

// fioOptions are those in which writing and reading must agree.
const fioOptions = "--bs=64k --ioengine=psync --verify=crc32c --do_verify=0 --verify_state_save=0 "

// unconfigured keeps the user's configuration away from git.
func unconfigured(cmd *exec.Cmd) *exec.Cmd {
	cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null", "LC_ALL=C")
	return cmd
}

func TestProgramsWorkInTheMount(t *testing.T) {
	source := workplace(t)
	on(t, []combination{{s3: true}}, func(t *testing.T, r *rig) {
		r.backup(source)
		scan := filepath.Join(r.mount(), "0")
		// prints runs a shell script in a directory, and returns what it printed.
		prints := func(t *testing.T, dir, script string) string {
			t.Helper()
			cmd := unconfigured(exec.Command("sh", "-c", script))
			cmd.Dir = dir
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("%s: %v\n%s", script, err, out)
			}
			return string(out)
		}
		t.Run("git", func(t *testing.T) {
			prints(t, scan, "git -C git fsck --full --strict")
			if out := prints(t, scan, "git -C git status --porcelain"); out != "" {
				t.Errorf("git status says:\n%s", out)
			}
			if want, got := prints(t, source, "git -C git log -p"), prints(t, scan, "git -C git log -p"); want != got {
				t.Errorf("git log has %d bytes, %d in the source", len(got), len(want))
			}
		})
		t.Run("sqlite3", func(t *testing.T) {
			if out := prints(t, scan, "sqlite3 -readonly db 'PRAGMA integrity_check; SELECT count(*) FROM t'"); out != "ok\n20000\n" {
				t.Errorf("sqlite3 says:\n%s", out)
			}
		})
		t.Run("running a program", func(t *testing.T) {
			if out := prints(t, scan, "./program :memory: 'SELECT 6 * 7'"); out != "42\n" {
				t.Errorf("it printed %q", out)
			}
		})
		t.Run("fio", func(t *testing.T) {
			prints(t, r.dir, "fio --output=fio.log --name=r --readonly --filename="+filepath.Join(scan, "fio")+
				" --rw=randread --size=8m --numjobs=8 --thread --verify_fatal=1 "+strings.Replace(fioOptions, "--do_verify=0", "", 1)+" || { cat fio.log; false; }")
		})
		t.Run("du", func(t *testing.T) {
			const all = "du -ab . | sort"
			if want, got := prints(t, source, all), prints(t, scan, all); want != got {
				t.Errorf("du says\n%s\nand of the source\n%s", got, want)
			}
			kib, _, _ := strings.Cut(prints(t, scan, "du -k sparse"), "\t")
			if n, err := strconv.Atoi(kib); err != nil || n < 1 || n > 4096 {
				t.Errorf("the sparse file takes %q KiB", kib)
			}
		})
		t.Run("16 cp at once", func(t *testing.T) {
			var copies errgroup.Group
			for i := range 16 {
				copies.Go(func() error {
					to := r.path("copy" + strconv.Itoa(i))
					out, err := exec.Command("sh", "-c", `cp -a "$1/small" "$2" && diff -r "$3/small" "$2"`, "sh", scan, to, source).CombinedOutput()
					if err != nil {
						return fmt.Errorf("copy %d: %w\n%s", i, err, out)
					}
					return nil
				})
			}
			if err := copies.Wait(); err != nil {
				t.Error(err)
			}
		})
	})
}
