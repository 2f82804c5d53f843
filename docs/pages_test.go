package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// pages are those that users read: path and content.
func pages(t *testing.T) map[string]string {
	t.Helper()
	names, err := filepath.Glob("*.md")
	check(t, err)
	all := map[string]string{}
	for _, name := range append(names, "../README.md", "../CHANGELOG.md", "../bus3.example.yaml") {
		data, err := os.ReadFile(name)
		check(t, err)
		all[name] = string(data)
	}
	return all
}

// command is what `--help` tells of a command.
type command map[string]bool // flags: whether they take a value

// manual asks bus3, once, for all that it can be told. The global flags are those of command "".
var manual = sync.OnceValues(func() (map[string]command, error) {
	text, err := help()
	all := map[string]command{"": flagsIn(text)}
	for _, line := range strings.Split(text, "\n") {
		if m := regexp.MustCompile(`^  ([a-z]+(?: [a-z][a-z-]+)?)(?: {2,}|$)`).FindStringSubmatch(line); m != nil && err == nil {
			text, err = help(strings.Fields(m[1])...)
			all[m[1]] = flagsIn(text)
		}
	}
	return all, err
})

func commands(t *testing.T) map[string]command {
	t.Helper()
	all, err := manual()
	check(t, err)
	return all
}

func help(words ...string) (string, error) {
	path, err := program()
	if err != nil {
		return "", err
	}
	cmd := exec.Command(path, append(words, "--help")...)
	cmd.Env = append(os.Environ(), "HOME=/nonexistent")
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("bus3 %s --help: %w\n%s", strings.Join(words, " "), err, out)
	}
	return string(out), nil
}

func flagsIn(help string) command {
	flags := command{}
	for _, m := range regexp.MustCompile(`(?m)^ +(?:(-[a-zA-Z0-9]), )?(--[a-z-]+)(=?)`).FindAllStringSubmatch(help, -1) {
		flags[m[2]] = m[3] != ""
		if m[1] != "" {
			flags[m[1]] = m[3] != ""
		}
	}
	return flags
}

// TestCommandsInThePagesExist holds each `bus3 …` in the pages against `bus3 --help`.
func TestCommandsInThePagesExist(t *testing.T) {
	known := commands(t)
	for _, must := range []string{"init", "backup", "restore", "key rotate-wrap"} {
		if len(known[must]) < 5 {
			t.Fatalf("`bus3 --help` could not be read: %q has the flags %v", must, known[must])
		}
	}
	met := 0
	for page, text := range pages(t) {
		for _, code := range codeIn(text) {
			for _, part := range regexp.MustCompile(`&&|\|\||[|;]|\$\(| # |\n`).Split(code, -1) {
				words := strings.Fields(part)
				for len(words) > 0 && (words[0] == "$" || words[0] == "sudo" || words[0] == "#" || regexp.MustCompile(`^[A-Z_0-9]+=`).MatchString(words[0])) {
					words = words[1:]
				}
				if len(words) < 2 || words[0] != "bus3" {
					continue
				}
				met++
				if fault := judge(known, words[1:]); fault != "" {
					t.Errorf("%s: %q: %s", page, strings.Join(words, " "), fault)
				}
			}
		}
	}
	if met < 20 {
		t.Errorf("only %d commands were found in the pages", met)
	}
}

// judge tells what is wrong with the words after "bus3", if anything.
func judge(known map[string]command, words []string) string {
	name := ""
	for i := 0; i < len(words); i++ {
		w := strings.Trim(words[i], "[]()…,.:'\"")
		if strings.HasPrefix(words[i], "<") || strings.HasPrefix(words[i], "…") || w == "" || w == "-" {
			if name == "" {
				return ""
			}
			continue
		}
		if strings.HasPrefix(w, "-") {
			flag, _, given := strings.Cut(w, "=")
			value, ok := known[name][flag]
			if !ok {
				return "there is no " + flag + " of " + name
			}
			if value && !given {
				i++
			}
			continue
		}
		if name != "" {
			continue
		}
		name = w
		if i+1 < len(words) {
			if two := w + " " + strings.Trim(words[i+1], "…,."); known[two] != nil {
				name, i = two, i+1
			}
		}
		isGroup := name == "key"
		if known[name] == nil && !isGroup {
			return "there is no such command"
		}
	}
	return ""
}

// codeIn is what stands between backticks and in blocks of code. In YAML, comments have backticks, too.
func codeIn(text string) (code []string) {
	blocks := strings.Split(text, "\n```")
	for i, b := range blocks {
		if i%2 == 1 {
			_, b, _ = strings.Cut(b, "\n")
			code = append(code, strings.ReplaceAll(b, "\\\n", " "))
			continue
		}
		for _, m := range regexp.MustCompile("`([^`\n]+)`").FindAllStringSubmatch(b, -1) {
			code = append(code, m[1])
		}
	}
	return code
}

// TestFlagsInThePagesExist: a flag that stands alone is one of bus3.
func TestFlagsInThePagesExist(t *testing.T) {
	flags := command{}
	for _, c := range commands(t) {
		for f := range c {
			flags[f] = true
		}
	}
	for page, text := range pages(t) {
		for _, m := range regexp.MustCompile("`(--[a-z][a-z-]*)").FindAllStringSubmatch(text, -1) {
			if !flags[m[1]] {
				t.Errorf("%s: no command has %s", page, m[1])
			}
		}
	}
}

// TestVariablesInThePagesExist: the environment variables in the pages stand in the code that reads them.
func TestVariablesInThePagesExist(t *testing.T) {
	var code strings.Builder
	for _, dir := range []string{"../cmd", "../test", "../.ci", "../Makefile"} {
		check(t, filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			_, _ = code.Write(data)
			return err
		}))
	}
	for page, text := range pages(t) {
		for _, name := range regexp.MustCompile(`\bBUS3_[A-Z0-9_]+\b`).FindAllString(text, -1) {
			if !strings.Contains(code.String(), name) {
				t.Errorf("%s: nothing reads %s", page, name)
			}
		}
	}
}

// TestLinksInThePagesResolve looks at links to files, and to headings in them.
func TestLinksInThePagesResolve(t *testing.T) {
	for page, text := range pages(t) {
		for _, m := range regexp.MustCompile(`\]\(([^)\s]+)\)`).FindAllStringSubmatch(text, -1) {
			target, heading, _ := strings.Cut(m[1], "#")
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			path := page
			if target != "" {
				path = filepath.Join(filepath.Dir(page), target)
			}
			data, err := os.ReadFile(path)
			if info, statErr := os.Stat(path); statErr == nil && info.IsDir() {
				err = nil
			}
			switch {
			case err != nil:
				t.Errorf("%s: the link %s leads nowhere: %v", page, m[1], err)
			case heading != "" && !slices.Contains(anchors(string(data)), heading):
				t.Errorf("%s: %s has no such heading", page, m[1])
			}
		}
	}
}

// anchors are the names under which headings can be linked to.
func anchors(text string) (names []string) {
	for _, m := range regexp.MustCompile(`(?m)^#+ (.+)$`).FindAllStringSubmatch(text, -1) {
		name := strings.ToLower(strings.TrimSpace(m[1]))
		name = regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(name, "")
		names = append(names, strings.ReplaceAll(name, " ", "-"))
	}
	return names
}
