package test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/bus3/bus3/test/tree"
)

func TestRenamingALargeDirectoryReadsNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, r *rig) {
		source := r.path("source")
		const files = 10_000
		if err := os.MkdirAll(filepath.Join(source, "before"), 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range files {
			if err := os.WriteFile(filepath.Join(source, "before", fmt.Sprint(i)), []byte{byte(i), byte(i >> 8)}, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		r.backup(source)
		if err := os.Rename(filepath.Join(source, "before"), filepath.Join(source, "after")); err != nil {
			t.Fatal(err)
		}
		s := r.backup(source)
		if rows := s.EntriesOpened + s.EntriesClosed; s.BytesRead != 0 || s.DataPacked != 0 || rows >= 10 {
			t.Errorf("renaming a directory of %d files: %d bytes read, %d stored, %d rows", files, s.BytesRead, s.DataPacked, rows)
		}
		point := r.mount()
		same(t, "the renamed directory", filepath.Join(source, "after"), filepath.Join(point, "1", "after"), tree.Ignore{})
		same(t, "the directory before", filepath.Join(source, "after"), filepath.Join(point, "0", "before"), tree.Ignore{Times: true})
	})
}

func TestEveryVersionStays(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		source := r.path("source")
		write(t, source, "a", "one", "dir/b", "two", "dir/gone", "three")
		keep := func(n string) { sh(t, "cp", "-a", source, r.path("state"+n)) }
		keep("0")
		r.backup(source)
		write(t, source, "a", "changed", "dir/new", "four")
		if err := os.Remove(filepath.Join(source, "dir", "gone")); err != nil {
			t.Fatal(err)
		}
		keep("1")
		s := r.backup(source)
		if s.New != 1 || s.Removed != 1 || s.Scan != 1 {
			t.Errorf("the second backup: %+v", s)
		}
		if err := os.RemoveAll(filepath.Join(source, "dir")); err != nil {
			t.Fatal(err)
		}
		keep("2")
		r.backup(source)
		point := r.mount()
		for _, n := range []string{"0", "1", "2"} {
			same(t, "backup "+n, r.path("state"+n), filepath.Join(point, n), tree.Ignore{})
			r.bus3("restore", "all", r.path("restored"+n), n)
			same(t, "restored "+n, r.path("state"+n), r.path("restored"+n), restored())
		}
		// Paths, absolute and relative, become DEST/<name>.
		r.bus3("restore", "dir/gone", r.path("one"), "0")
		r.bus3("restore", filepath.Join(source, "a"), r.path("one"))
		for name, want := range map[string]string{"gone": "three", "a": "changed"} {
			if got, err := os.ReadFile(r.path("one", name)); err != nil || string(got) != want {
				t.Errorf("%s has %q, %v", name, got, err)
			}
		}
	})
}

func TestTheSameContentIsStoredOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		const size = 24 << 20
		source, data := r.path("source"), noise(1, size)
		write(t, source, "a", string(data), "copy of a", string(data))
		first := r.backup(source)
		if first.DataAdded > size {
			t.Errorf("two files of %d bytes with the same content added %d", size, first.DataAdded)
		}
		write(t, source, "b", string(data[:5000])+"x"+string(data[5000:]))
		if s := r.backup(source); s.DataAdded > size/3 {
			t.Errorf("a byte that was inserted added %d bytes", s.DataAdded)
		}
	})
}

func TestTwoHostsBackUpAtOnce(t *testing.T) {
	on(t, []combination{{true, true}}, func(t *testing.T, r *rig) {
		hosts := []string{"alpha", "beta", "gamma"}
		for i, host := range hosts {
			write(t, r.path(host), "own", host, "dir/noise", string(noise(uint64(i), 8<<20)), "common", string(noise(77, 4<<20)))
		}
		const rounds = 2
		var group sync.WaitGroup
		for _, host := range hosts {
			group.Go(func() {
				for range rounds {
					if stdout, stderr, code := r.try("backup", "--host", host, r.path(host)); code != 0 {
						t.Errorf("backup of %s: code %d\n%s%s", host, code, stdout, stderr)
					}
				}
			})
		}
		group.Wait()
		scans := r.scans("--all")
		if len(scans) != rounds*len(hosts) {
			t.Fatalf("%d scans: %+v", len(scans), scans)
		}
		for i, s := range scans {
			if s.Number != int64(i) || s.State != "complete" {
				t.Errorf("scan %d: %+v", i, s)
			}
		}
		// Whoever comes later stores nothing that the others have.
		if s := r.backup("--host", "delta", r.path("alpha")); s.DataAdded != 0 {
			t.Errorf("a fourth host added %d bytes that were there", s.DataAdded)
		}
		point := r.mount()
		for _, host := range hosts {
			found, err := filepath.Glob(filepath.Join(point, "by-host", host, r.path(host), "*"))
			if err != nil || len(found) == 0 {
				t.Fatalf("by-host/%s has no scan: %v", host, err)
			}
			resolved, err := filepath.EvalSymlinks(found[0])
			if err != nil {
				t.Fatal(err)
			}
			same(t, host, r.path(host), resolved, tree.Ignore{})
		}
	})
}

// scanLine is what `bus3 list --json` tells of a scan.
type scanLine struct {
	Number int64  `json:"number"`
	Host   string `json:"hostname"`
	Root   string `json:"root"`
	State  string `json:"state"`
}

func (r *rig) scans(flags ...string) []scanLine {
	r.t.Helper()
	var out []scanLine
	text := r.bus3(append([]string{"list", "--json"}, flags...)...)
	if err := json.Unmarshal([]byte(text), &out); err != nil {
		r.t.Fatalf("list --json: %v\n%s", err, text)
	}
	return out
}

func TestTheListLooksAsItAlwaysDid(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		write(t, r.path("so\nurce"), "a", "x")
		write(t, r.path("other"), "a", "x")
		const head = "  #: date & time         backup root directory\n"
		if got := r.bus3(); got != head {
			t.Errorf("the empty list is %q", got)
		}
		r.backup("--tag", "weekly", r.path("other"))
		r.backup("--host", "far", r.path("so\nurce"))
		want := regexp.MustCompile(`^` + regexp.QuoteMeta(head) +
			`  0: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d ` + regexp.QuoteMeta(r.path("other")) + "\n" +
			`  1: \d{4}-\d\d-\d\d \d\d:\d\d:\d\d \$'` + regexp.QuoteMeta(r.dir) + `/so\\nurce'` + "\n$")
		for _, args := range [][]string{{}, {"list"}, {"list", "--all"}} {
			if got := r.bus3(args...); !want.MatchString(got) {
				t.Errorf("bus3 %q printed\n%s", args, got)
			}
		}
		long := r.bus3("list", "--long")
		for _, word := range []string{"far", "complete", "weekly", "stored"} {
			if !strings.Contains(long, word) {
				t.Errorf("%q is missing in\n%s", word, long)
			}
		}
		if got := r.scans("--host", "far"); len(got) != 1 || got[0].Root != r.path("so\nurce") || got[0].Number != 1 {
			t.Errorf("list --json --host: %+v", got)
		}
		if ls := r.bus3("ls", "latest"); !regexp.MustCompile(`^-rw-r--r--  1  .*  1  \d{4}-\d\d-\d\d \d\d:\d\d:\d\d  a\n$`).MatchString(ls) {
			t.Errorf("ls printed %q", ls)
		}
	})
}

func TestARunningMountShowsNewBackups(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		write(t, r.path("source"), "a", "x")
		point := r.mount()
		r.backup(r.path("source"))
		until(t, "the first scan appears", func() bool { return r.latest(point) == "0" })
		write(t, r.path("source"), "a", "xy")
		r.backup(r.path("source"))
		until(t, "the second scan appears", func() bool { return r.latest(point) == "1" })
		if got, err := os.ReadFile(filepath.Join(point, "latest", "a")); err != nil || string(got) != "xy" {
			t.Errorf("latest/a has %q, %v", got, err)
		}
	})
}

func (r *rig) latest(point string) string {
	target, err := os.Readlink(filepath.Join(point, "latest"))
	if err != nil {
		return ""
	}
	return target
}

func TestAMountEndsWhenItsProcessIsTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, combination{})
	r.bus3("init")
	write(t, r.path("source"), "a", "x")
	r.backup(r.path("source"))
	point := r.path("mnt")
	if err := os.Mkdir(point, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, signal := range []string{"INT", "TERM"} {
		cmd := r.command("mount", point)
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		line := make([]byte, 512)
		n, err := out.Read(line)
		if err != nil || !strings.HasPrefix(string(line[:n]), "Mounted on "+point) {
			t.Errorf("the mount said %q, %v", line[:n], err)
		}
		if _, err := os.Stat(filepath.Join(point, "0", "a")); err != nil {
			t.Error(err)
		}
		sh(t, "kill", "-"+signal, fmt.Sprint(cmd.Process.Pid))
		if err := cmd.Wait(); err != nil {
			t.Errorf("the mount ended with %v after SIG%s", err, signal)
		}
		if err := exec.Command("mountpoint", "-q", point).Run(); err == nil {
			t.Errorf("%s is still mounted after SIG%s", point, signal)
		}
	}
}
