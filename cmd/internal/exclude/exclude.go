// Package exclude decides which paths are left out of a backup, by patterns in the syntax of .gitignore files.
//
// A pattern without a slash, other than one at its end, holds for names in every directory; any other is anchored to the
// root of what is backed up. `!` takes back what an earlier pattern excludes, a slash at the end means directories only, `**`
// any number of directories; the last pattern that fits decides. What lies in an excluded directory stays excluded.
// See gitignore(5).
package exclude

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
)

// Patterns is a list of patterns, in order. The zero value excludes nothing. It is safe for concurrent use once all are
// added.
type Patterns struct {
	rules []rule
}

// rule is one pattern.
type rule struct {
	glob     string // for doublestar, or the path itself if literal
	literal  bool
	anchored bool // against the whole path, not only the last name
	dirs     bool // directories only
	include  bool // takes back
}

// Add adds one line of a .gitignore file. Empty lines and comments add nothing.
func (p *Patterns) Add(line string) error {
	r, any, err := parseLine(line)
	if err != nil {
		return fmt.Errorf("exclude pattern %q: %w", line, err)
	}
	if any {
		p.rules = append(p.rules, r)
	}
	return nil
}

// AddFile adds the lines of a file.
func (p *Patterns) AddFile(name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("exclude file: %w", err)
	}
	number := 0
	for line := range bytes.Lines(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))) {
		number++
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if err := p.Add(string(line)); err != nil {
			return fmt.Errorf("%s, line %d: %w", name, number, err)
		}
	}
	return nil
}

// Len is the number of patterns.
func (p *Patterns) Len() int { return len(p.rules) }

// Skip tells whether a path is excluded. The path is relative to the root of the backup, with neither "./" nor a slash at an
// end; dir says whether it is a directory. That none of the directories above it is excluded is for the caller to
// know, who has not entered them; see SkipBelow.
func (p *Patterns) Skip(path string, dir bool) bool {
	if len(p.rules) == 0 || path == "" {
		return false
	}
	path = wide(path)
	name := path[strings.LastIndexByte(path, '/')+1:]
	for i := len(p.rules) - 1; i >= 0; i-- {
		r := &p.rules[i]
		if (dir || !r.dirs) && r.fits(path, name) {
			return !r.include
		}
	}
	return false
}

// SkipBelow tells whether a path is excluded, by itself or with a directory above it.
func (p *Patterns) SkipBelow(path string, dir bool) bool {
	for i := 0; i < len(path); i++ {
		if path[i] == '/' && p.Skip(path[:i], true) {
			return true
		}
	}
	return p.Skip(path, dir)
}

func (r *rule) fits(path, name string) bool {
	if !r.anchored {
		path = name
	}
	if r.literal {
		return path == r.glob
	}
	return doublestar.MatchUnvalidated(r.glob, path)
}

// wide makes every byte a character of its own, as git sees them, so that names that are not UTF-8 need no rules.
func wide(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= 0x80 {
			return string(appendWide(make([]byte, 0, 2*len(s)), s))
		}
	}
	return s
}

func appendWide(out []byte, s string) []byte {
	for i := 0; i < len(s); i++ {
		out = appendByte(out, s[i])
	}
	return out
}
