package test

import (
	"os"
	"strings"
	"testing"

	"github.com/bus3/bus3/test/tree"
)

func TestFlagsOfBackupSayWhatIsWrongWithThem(t *testing.T) {
	t.Parallel()
	r := newRig(t, combination{})
	r.bus3("init")
	source := r.path("source")
	write(t, source, "a", "x")
	for _, c := range []struct{ says, flag string }{
		{`--compression: "best" is not one of auto, off, fastest, default, better`, "--compression=best"},
		{"--jobs is how many files are read at once: -1 is no number from 0 to 256", "--jobs=-1"},
		{"100000 is no number from 0 to 256", "--jobs=100000"},
		{`got "many"`, "--jobs=many"},
		{"KiB per second", "--limit-upload=-5"},
		{"KiB per second", "--limit-download=9223372036854775807"},
		{`got "5k"`, "--limit-upload=5k"},
		{"nowhere: no such file or directory", "--files-from=nowhere"},
		{"is a directory", "--files-from=" + source},
		{"is no number from 0 to 256", "--jobs=257"},
	} {
		r.fails(1, c.says, "backup", c.flag, source)
	}
	if s := r.scans("--all"); len(s) != 0 {
		t.Errorf("what was wrong has begun a backup: %+v", s)
	}
	for _, flag := range []string{"--compression=off", "--compression=better", "--jobs=1", "--jobs=256", "--limit-upload=0", "--limit-upload=100000", "--nice"} {
		r.backup(flag, "--force", source)
	}
}

func TestFilesFromLooksAtNothingElse(t *testing.T) {
	onBoth(t, func(t *testing.T, r *rig) {
		source := r.path("source")
		write(t, source, "a", "x", "d/b", "y", "d/c", "z")
		// The first time, there is nothing that the rest could be taken from.
		stdout, stderr, code := r.tryWith("a\n", "backup", "--json", "--files-from", "-", source)
		if s := r.parse(stdout); code != 0 || s.New < 3 || !strings.Contains(stderr, "no finished backup") {
			t.Errorf("the first backup: code %d, %+v\n%s", code, s, stderr)
		}
		write(t, source, "a", "changed", "d/b", "changed, too", "with\nnewline", "new")
		stdout, stderr, code = r.tryWith("d/b\x00"+source+"/with\nnewline\x00never there\x00", "backup", "--json", "--files-from", "-", source)
		if s := r.parse(stdout); code != 0 || s.New != 1 || s.BytesRead != int64(len("changed, too")+len("new")) || stderr != "" {
			t.Errorf("the second: code %d, %+v\n%s", code, s, stderr)
		}
		stdout, _, code = r.tryWith("", "backup", "--json", "--files-from", "-", source)
		if s := r.parse(stdout); code != 0 || s.New+s.BytesRead != 0 {
			t.Errorf("an empty list: code %d, %+v", code, s)
		}
		r.bus3("restore", "all", r.path("restored"))
		write(t, source, "a", "x")
		for _, name := range []string{"a", "d/b", "d/c", "with\nnewline"} {
			want, err1 := os.ReadFile(r.path("source", name))
			if got, err2 := os.ReadFile(r.path("restored", name)); err1 != nil || err2 != nil || string(got) != string(want) {
				t.Errorf("%q has %q, %v, %v", name, got, err1, err2)
			}
		}
		r.fails(1, "is not in", "backup", "--files-from", r.list("../outside"), source)
		r.fails(1, "is not in", "backup", "--files-from", r.list("/etc/passwd"), source)
		r.backup(source)
		same(t, "the mount", source, r.mount()+"/latest", tree.Ignore{})
	})
}

// list is a file with a line.
func (r *rig) list(line string) string {
	r.t.Helper()
	write(r.t, r.dir, "list", line+"\n")
	return r.path("list")
}
