package test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/bus3/bus3/test/tree"
)

func TestBackupWithNothingConfiguredMakesARepositoryAndSaysWhere(t *testing.T) {
	t.Parallel()
	r := bareRig(t)
	write(t, r.path("source"), "a", "x")
	r.fails(10, "`bus3 backup DIR` makes it", "list")
	stdout, stderr, code := r.try("backup", r.path("source"))
	if code != 0 || !strings.HasPrefix(stdout, "Backup 0 of "+r.path("source")+": 1 new") && !strings.HasPrefix(stdout, "Backup 0 of "+r.path("source")+": 2 new") {
		t.Fatalf("code %d\n%s%s", code, stdout, stderr)
	}
	key := filepath.Join(r.home, ".config", "bus3", "key.txt")
	for _, word := range []string{
		filepath.Join(r.home, ".local", "share", "bus3", "store"), filepath.Join(r.home, ".local", "share", "bus3", "catalog.db"), key,
		"Keep a copy of the key elsewhere", "A store on the same disk is no backup",
	} {
		if !strings.Contains(stderr, word) {
			t.Errorf("it does not say %q:\n%s", word, stderr)
		}
	}
	if info, err := os.Stat(key); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the key file: %v, %v", info, err)
	}
	if _, stderr, code := r.try("backup", r.path("source")); code != 0 || strings.Contains(stderr, "made a repository") {
		t.Errorf("the second backup: code %d\n%s", code, stderr)
	}
	// The catalog is an index: without it, the store and the key have everything.
	for _, name := range r.glob(filepath.Join(r.home, ".local", "share", "bus3", "catalog.db*")) {
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	if s := r.scans(); len(s) != 2 {
		t.Errorf("without a catalog the list is %+v", s)
	}
	// And without the key nobody has anything.
	if err := os.Rename(key, key+".elsewhere"); err != nil {
		t.Fatal(err)
	}
	r.fails(12, "no key", "list")
}

func (r *rig) glob(pattern string) []string {
	r.t.Helper()
	found, err := filepath.Glob(pattern)
	if err != nil || len(found) == 0 {
		r.t.Fatalf("%s: %q, %v", pattern, found, err)
	}
	return found
}

func TestWhatWasNamedIsInitialisedByInitAlone(t *testing.T) {
	t.Parallel()
	for _, c := range []combination{{false, false}, {true, true}} {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, c)
			write(t, r.path("source"), "a", "x")
			r.fails(10, "bus3 init --store ", "backup", r.path("source"))
			r.fails(10, "bus3 init --store ", "list")
			if objects := r.stored(""); len(objects) != 0 {
				t.Errorf("a backup that failed left %q", objects)
			}
			r.bus3("init")
			r.fails(1, "already", "init", "--chunk-size", "1MiB")
			if _, stderr, code := r.try("init"); code != 0 || !strings.Contains(stderr, "initialised already") {
				t.Errorf("a second init: code %d\n%s", code, stderr)
			}
			r.backup(r.path("source"))

			// A catalog that nobody initialised is not taken as it comes; init fills it.
			other := r.with("BUS3_CATALOG=sqlite://" + r.path("other.db"))
			other.fails(10, "bus3 init --store ", "list")
			other.bus3("init")
			if s := other.scans(); len(s) != 1 {
				t.Errorf("the second catalog has %+v", s)
			}
			if s := other.backup(r.path("source")); s.Scan != 1 || s.DataAdded != 0 {
				t.Errorf("a backup with the second catalog: %+v", s)
			}
			if s := r.backup(r.path("source")); s.Scan != 2 {
				t.Errorf("a backup with the first catalog, which had fallen behind: %+v", s)
			}
		})
	}
}

func TestACatalogOfAnotherRepositoryIsRefused(t *testing.T) {
	t.Parallel()
	for _, c := range []combination{{false, false}, {true, false}} {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, c)
			r.bus3("init")
			write(t, r.path("source"), "a", "x")
			other := r.with("BUS3_STORE=file://" + r.path("other"))
			other.fails(1, "belongs to another repository", "init")
			other.with("BUS3_CATALOG=").bus3("init")
			other.fails(1, "belongs to another repository", "backup", r.path("source"))
			other.fails(1, "belongs to another repository", "list")
		})
	}
}

func TestReadersNeedOnlyTheStoreAndTheKey(t *testing.T) {
	t.Parallel()
	for _, c := range []combination{{false, false}, {true, true}} {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, c)
			r.bus3("init")
			source := r.path("source")
			write(t, source, "dir/a", "x", "b", string(noise(1, 1<<20)))
			r.backup(source)

			bare := bareRig(t) // another machine
			write(t, bare.dir, "key", read(t, filepath.Join(r.home, ".config", "bus3", "key.txt")))
			if err := os.Chmod(bare.path("key"), 0o600); err != nil {
				t.Fatal(err)
			}
			bare.env = append(bare.env, "BUS3_STORE="+r.store, "BUS3_KEY_FILE="+bare.path("key"))
			if c.s3 {
				s3 := stage.versity(t)
				bare.env = append(bare.env, s3.Reader(t, filepath.Base(r.objects)).Env()...)
			}
			if s := bare.scans(); len(s) != 1 || s[0].Root != source {
				t.Errorf("list: %+v", s)
			}
			point := bare.mount()
			same(t, "the mount", source, filepath.Join(point, "0"), tree.Ignore{})
			bare.bus3("restore", "all", bare.path("restored"))
			same(t, "what was restored", source, bare.path("restored"), restored())

			write(t, source, "c", "new")
			r.backup(source)
			until(t, "the mount shows the new backup", func() bool { return r.latest(point) == "1" })
			if s := bare.scans(); len(s) != 2 {
				t.Errorf("list after another backup: %+v", s)
			}
		})
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestPassphrasesAndKeysOpenARepository(t *testing.T) {
	t.Parallel()
	r := newRig(t, combination{})
	const first, second = "correct horse", "battery staple"
	write(t, r.dir, "second", second+"\n")
	if err := os.Chmod(r.path("second"), 0o600); err != nil {
		t.Fatal(err)
	}
	byFirst, bySecond := r.with("BUS3_PASSPHRASE="+first), r.with("BUS3_PASSPHRASE_FILE="+r.path("second"))
	byFirst.bus3("init") // each use of a passphrase takes scrypt's time, so they are few here
	bySecond.fails(12, "wrong key", "list")
	r.fails(12, "no key", "list")

	byFirst.with("BUS3_NEW_PASSPHRASE_FILE="+r.path("second")).bus3("key", "add", "--label", "office")
	r.with("BUS3_PASSPHRASE_COMMAND=cat " + r.path("second")).bus3("list")

	sh(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "user@host", "-f", r.path("id"))
	byFirst.bus3("key", "add", "--recipient-file", r.path("id.pub"))
	byKey := r.with("BUS3_KEY_FILE=" + r.path("id"))
	list := byKey.bus3("key", "list")
	for _, word := range []string{"office", "user@host", "ssh-ed25519", "passphrase"} {
		if !strings.Contains(list, word) {
			t.Errorf("%q is not in the list of keys:\n%s", word, list)
		}
	}
	sheet := byKey.bus3("key", "export", "--svg", r.path("key.svg"), "--png", r.path("key.png"))
	_, rest, _ := strings.Cut(sheet, "AGE-SECRET-KEY-1")
	secret, _, _ := strings.Cut(rest, "\n")
	write(t, r.dir, "recovered", "AGE-SECRET-KEY-1"+secret+"\n")
	r.with("BUS3_KEY_FILE=" + r.path("recovered")).bus3("list")
	if svg := read(t, r.path("key.svg")); !strings.Contains(svg, "<svg ") || strings.Contains(svg, secret) {
		t.Errorf("the SVG is %.100s", svg)
	}

	byKey.bus3("key", "remove", "office")
	bySecond.fails(12, "wrong key", "list")
	byKey.with("BUS3_NEW_PASSPHRASE_FILE="+r.path("second")).bus3("key", "rotate-wrap", "passphrase", "--label", "rotated")
	byFirst.fails(12, "wrong key", "list")
	byKey.bus3("key", "remove", "recovery sheet")
	byKey.bus3("key", "remove", "user@host")
	stdout, stderr, code := bySecond.try("key", "remove", "rotated", "-v")
	if code != 1 || !strings.Contains(stderr, "last key") || strings.Contains(stdout+stderr, second) {
		t.Errorf("removing the last key: code %d\n%s%s", code, stdout, stderr)
	}
}

func TestTheCommandLineBeatsTheEnvironmentWhichBeatsTheFile(t *testing.T) {
	t.Parallel()
	r := bareRig(t)
	for _, name := range []string{"line", "environment", "file"} {
		r.bus3("init", "--store", "file://"+r.path(name))
		write(t, r.path("source"), "from", name)
		r.bus3("backup", "-q", "--store", "file://"+r.path(name), "--host", "of-"+name, r.path("source"))
	}
	write(t, r.home, ".config/bus3/bus3.yaml", "store: file://"+r.path("file")+"\nroots: ["+r.path("source")+"]\nhost: configured\nexclude: [skipped]\n")
	host := func(r *rig, args ...string) string {
		t.Helper()
		s := r.scans(args...)
		if len(s) == 0 {
			t.Fatal("no scan")
		}
		return s[len(s)-1].Host
	}
	env := r.with("BUS3_STORE=file://" + r.path("environment"))
	for want, got := range map[string]string{
		"of-file": host(r), "of-environment": host(env), "of-line": host(env, "--store", "file://"+r.path("line")),
	} {
		if got != want {
			t.Errorf("got the repository %s, want %s", got, want)
		}
	}
	write(t, r.path("source"), "skipped", "x", "also-skipped", "y")
	r.backup("--exclude", "/also-*")
	if got := host(r); got != "configured" {
		t.Errorf("the host is %s", got)
	}
	if ls := r.bus3("ls", "latest"); strings.Contains(ls, "skipped") || !strings.Contains(ls, "from") {
		t.Errorf("the backup has\n%s", ls)
	}
	write(t, r.dir, "other.yaml", "# comment\nstor: x\n")
	r.fails(1, "line 2", "--config", r.path("other.yaml"), "list")
}

func TestMistakesAreExplained(t *testing.T) {
	t.Parallel()
	r := newRig(t, combination{})
	r.bus3("init")
	write(t, r.path("source"), "a", "x", "dir/b", "y")
	r.fails(1, "name a directory", "backup")
	r.fails(1, "is not a directory", "backup", r.path("source", "a"))
	r.fails(1, "no such file", "backup", r.path("nowhere"))
	r.fails(1, "no finished backup", "restore", "all", r.path("out"))
	r.backup(r.path("source"))
	r.fails(1, "there is no backup 7", "ls", "7")
	r.fails(1, "is not in this backup", "ls", "0", "/elsewhere")
	r.fails(1, "is not in backup 0", "ls", "0", "nothing")
	r.fails(1, "without ..", "restore", "../x", r.path("out"))
	r.fails(1, "no finished backup has", "restore", "/elsewhere/x", r.path("out"))
	r.fails(1, "not mounted", "umount", r.path("source"))
	r.fails(1, "not empty", "mount", r.path("source"))
	r.fails(1, "not empty", "mount", "--background", r.path("source"))
	r.fails(1, "--help", "frobnicate")
	r.fails(1, "backup --help", "backup", "--frobnicate")
	if out := r.bus3("version"); !strings.HasPrefix(out, "bus3 ") {
		t.Errorf("version printed %q", out)
	}
	if out := r.bus3("--help"); !strings.Contains(out, "umount") {
		t.Errorf("help printed %q", out)
	}
}

func TestADryRunStoresNothing(t *testing.T) {
	t.Parallel()
	r := newRig(t, combination{})
	r.bus3("init")
	write(t, r.path("source"), "a", string(noise(1, 1<<20)))
	before := len(r.stored(""))
	s := r.parse(r.bus3("backup", "--json", "--dry-run", r.path("source")))
	if s.DataAdded < 1<<20 || s.New == 0 {
		t.Errorf("the dry run would add %+v", s)
	}
	if after := len(r.stored("")); after != before {
		t.Errorf("a dry run stored %d objects", after-before)
	}
	if scans := r.scans("--all"); len(scans) != 0 {
		t.Errorf("a dry run left %+v", scans)
	}
}

func TestRestoreOverwritesOnlyWhenTold(t *testing.T) {
	t.Parallel()
	r := newRig(t, combination{})
	r.bus3("init")
	write(t, r.path("source"), "same", "x", "differs", "y")
	r.backup(r.path("source"))
	write(t, r.path("out"), "differs", "mine, and newer")
	stdout, stderr, code := r.try("restore", "all", r.path("out"))
	if code != 3 || !strings.Contains(stderr, "differs: ") || !strings.Contains(stdout, "Restored backup 0") {
		t.Errorf("code %d\n%s%s", code, stdout, stderr)
	}
	if got := read(t, r.path("out", "differs")); got != "mine, and newer" {
		t.Errorf("a file that differs was overwritten with %q", got)
	}
	if got := read(t, r.path("out", "same")); got != "x" {
		t.Errorf("the other file has %q", got)
	}
	r.bus3("restore", "--overwrite", "all", r.path("out"))
	if got := read(t, r.path("out", "differs")); got != "y" {
		t.Errorf("--overwrite left %q", got)
	}
}

func TestKeysAreNotInProcessListsOrCoreDumps(t *testing.T) {
	t.Parallel()
	r := newRig(t, combination{})
	r.bus3("init")
	point := r.path("mnt")
	if err := os.Mkdir(point, 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := r.command("mount", point)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		r.bus3("umount", point)
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
	}()
	if _, err := out.Read(make([]byte, 1)); err != nil { // the line that says that it is ready
		t.Fatal(err)
	}
	proc := filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid))
	if args := read(t, filepath.Join(proc, "cmdline")); strings.Contains(args, "AGE-SECRET-KEY") {
		t.Errorf("the process list shows %q", args)
	}
	if limits := read(t, filepath.Join(proc, "limits")); !regexp.MustCompile(`Max core file size\s+0\s+0\s`).MatchString(limits) {
		t.Errorf("cores may be dumped:\n%s", limits)
	}
	// What cannot be dumped belongs to root in /proc, whoever runs it.
	if info, err := os.Stat(filepath.Join(proc, "environ")); err != nil || info.Sys().(*syscall.Stat_t).Uid != 0 {
		t.Errorf("%s/environ: %v, %v", proc, info, err)
	}
}
