package exclude

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// tree is what the patterns are tried on. Those that end in a slash are directories.
var tree = []string{
	"a", "b", "ab", "abc", "a.o", "b.o", ".hidden", "#hash", "!bang", "sp ", "sp  ", "sp", "back\\slash", "star*", "q?", "[x]", "x", "{a,b}", "a-b", "-", "]", "^", "tab\t",
	"caf\xc3\xa9", "caf\xe9", "caf\xc3", "new\nline", "UPPER", "lower", "0", "9", "a b", "com,ma", "end\\", "build", "foo", "Foo",
	"d/", "d/a", "d/b", "d/ab", "d/a.o", "d/foo/", "d/foo/x", "d/foo/bar", "d/.hidden", "d/d/", "d/d/d/", "d/d/d/a", "d/d/d/foo", "d/d/x", "d/d/a.o",
	"logs/", "logs/debug.log", "logs/monday/", "logs/monday/foo.bar", "logs/monday/debug.log", "logs/keep", "e/", "e/build/", "e/build/out", "e/build/keep/", "e/build/keep/x",
	"s x/", "s x/a", "[d]/", "[d]/a", "star**/", "star**/x", "f/", "f/g/", "f/g/h/", "f/g/h/i/", "f/g/h/i/j", "f/g/h/x", "f/g/x", "f/x", "f/xx", "f/gx", "caf\xc3\xa9s/", "caf\xc3\xa9s/x",
	"node_modules/", "node_modules/m/", "node_modules/m/index.js", "d/node_modules/", "d/node_modules/y",
}

// lists are the contents of .gitignore files.
var lists = []string{
	"", "a", "/a", "a/", "/d", "d/", "d", "/d/", "*.o", "/*.o", "d/*.o", "**/*.o", "d/**", "d/**/", "**/foo", "**/foo/", "foo", "foo/", "/foo", "/foo/", "d/foo", "/d/foo",
	"d/foo/", "d/*/a", "d/**/a", "**/d/**", "**/d/*", "d/*", "/d/*", "*", "/*", "**", "/**", "**/", "*/", "/*/", "?", "??", "d/?", "[ab]", "[!ab]", "[^ab]", "[a-c]", "[]]", "[!]]", "[]x]",
	"[[]x]", "[[:alpha:]]", "[[:upper:]]*", "[![:alnum:]]", "[[:digit:][:space:]]", "[[:nonsense:]]", "[[:alpha]x]", "[[:", "[a-", "[", "[a", "a[", "[]", "[!]", "[a\\]", "[\\]]", "[\\a-\\c]", "[a\\-b]", "[-a]", "[a-]",
	"[c-a]", "[0-9]", "[--0]", "[+--]", "[!-~]", "*[!a]", "d[/]a", "d[!x]a", "d?a", "d*a", "d**a", "**a", "a**", "***", "d/***/a", "d/***", "d/a**", "d/**a", "***/a", "f/**/x", "f/**/h/**/j", "**/h/**", "f/*/x", "f/**/g/**/x",
	"**/**/x", "**/x", "x/**", "**/x/**", "f/**/**/x", "#hash", "\\#hash", "!bang", "\\!bang", "# comment", " a", "a ", "sp ", "sp\\ ", "sp\\ \\ ", "sp\\  ", "sp  ", "a b", "a\\ b", "s x/", "s\\ x/",
	"back\\slash", "back\\\\slash", "end\\", "end\\\\", "star\\*", "star*", "star[*]", "star\\*\\*/", "star\\**", "q\\?", "q?", "\\[x]", "\\[x\\]", "[[]x[]]", "{a,b}", "{a,b", "{a", "a}", "\\{a,b\\}", "com,ma", "a-b", "-", "]", "^", "\\^",
	"caf\xc3\xa9", "caf?", "caf??", "caf\xe9", "caf[\xe9]", "caf[\xc3\xa9]", "caf[\x80-\xff]", "caf[!\xe9]", "caf*", "*\xa9", "caf\xc3\xa9s/", "caf\xc3\xa9s/*", "new*", "new?line", "tab\t", "tab?",
	"/", "//", "//a", "a//b", "d//a", "d//", "./a", "../a", "d/./a", "!a", "!", "!/", "!!a", "\\", "\\a", "d/\\a", "d\\/a", "\\d/a", "**\\/x", "d/**\\/a",
	"UPPER", "upper", "[U]PPER", "foo*", "f*/x", "*f/x", "*/x", "*/*/x", "*/*", "/*/*", "*/a", "f/g*", "f/g*/", "f/*x", "f/x*", "node_modules", "node_modules/", "/node_modules/", "*_*", "logs/**/debug.log", "**/logs/debug.log", "**/logs/**", "logs/*day", "logs/m[a-o]nday",
	"logs/*\n!logs/keep", "logs/\n!logs/keep", "logs/**\n!logs/**/\n!logs/**/debug.log", "*.o\n!a.o", "!a.o\n*.o", "*.o\n!/a.o", "*\n!*/\n!*.o", "/*\n!/d\n/d/*\n!/d/foo", "a\n!a\na", "build\n!e/build", "build/\n!e/build/", "e/build/*\n!e/build/keep", "foo\n!foo/",
	"*\n!a\n!d/\n!d/a", "# c\n\n  \na\n", "a\r\nb\r\n", "\xef\xbb\xbfa\nb", "*.o\r\n!b.o\r\n", "a   \nb\t", "x\n!**/x", "f/\n!f/x", "f/**\n!f/g/\n!f/g/x", "**/d\n!d", "!d\n**/d",
}

func TestPatternsDecideAsGitDoes(t *testing.T) {
	dir := t.TempDir()
	git := func(stdin []byte, args ...string) []byte {
		t.Helper()
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Stdin = bytes.NewReader(stdin)
		cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CONFIG_HOME="+dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir))
		out, err := cmd.Output()
		if exit, is := err.(*exec.ExitError); err != nil && (!is || exit.ExitCode() != 1) { // 1: none is ignored
			t.Fatalf("git %v: %v %s", args, err, out)
		}
		return out
	}
	git(nil, "init", "-q", ".")
	git(nil, "config", "core.ignorecase", "false")
	for _, path := range tree {
		if name, is := strings.CutSuffix(path, "/"); is {
			must(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
		} else {
			must(t, os.WriteFile(filepath.Join(dir, path), nil, 0o644))
		}
	}
	var question []byte
	for _, path := range tree {
		question = append(append(question, strings.TrimSuffix(path, "/")...), 0)
	}
	for _, list := range lists {
		file := filepath.Join(dir, ".git", "info", "exclude")
		must(t, os.WriteFile(file, []byte(list), 0o644))
		ignored := make(map[string]bool)
		for path := range bytes.SplitSeq(git(question, "check-ignore", "--no-index", "-z", "--stdin"), []byte{0}) {
			ignored[string(path)] = true
		}
		var p Patterns
		if err := p.AddFile(file); err != nil {
			delete(ignored, "")
			if len(ignored) > 0 {
				t.Errorf("%q: refused (%v), but git ignores %v", list, err, ignored)
			}
			continue
		}
		for _, path := range tree {
			name, is := strings.CutSuffix(path, "/")
			if got := p.SkipBelow(name, is); got != ignored[name] {
				t.Errorf("%q: %q: excluded is %v, for git it is %v", list, path, got, ignored[name])
			}
		}
	}
}

func TestWhatCannotFitIsRefusedWithItsLine(t *testing.T) {
	file := filepath.Join(t.TempDir(), "list")
	must(t, os.WriteFile(file, []byte("fine\n\n[a-\n"), 0o644))
	var p Patterns
	err := p.AddFile(file)
	if err == nil || !strings.Contains(err.Error(), "line 3") || !strings.Contains(err.Error(), `"[a-"`) {
		t.Errorf("got %v", err)
	}
	for _, bad := range []string{"a\\", "[", "x[[:nosuch:]]"} {
		if err := p.Add(bad); err == nil {
			t.Errorf("%q is accepted", bad)
		}
	}
	if p.Len() != 1 {
		t.Errorf("%d patterns, not 1", p.Len())
	}
	if err := p.AddFile(file + ".none"); !os.IsNotExist(unwrap(err)) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestNothingIsExcludedByNothing(t *testing.T) {
	var p Patterns
	if p.Skip("a", false) || p.SkipBelow("a/b", true) {
		t.Error("an empty list excludes")
	}
	must(t, p.Add("*"))
	if p.Skip("", true) {
		t.Error("the root is excluded")
	}
}

func BenchmarkSkip(b *testing.B) {
	var p Patterns
	for _, line := range []string{"*.o", "node_modules/", "/var/cache/**", "**/tmp/*.swp", "!keep.o"} {
		if err := p.Add(line); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		p.Skip("usr/share/doc/package/changelog.gz", false)
	}
}

func unwrap(err error) error {
	for {
		u, is := err.(interface{ Unwrap() error })
		if !is {
			return err
		}
		if next := u.Unwrap(); next != nil {
			err = next
		} else {
			return err
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
