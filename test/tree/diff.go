package tree

import (
	"fmt"
	"maps"
	"slices"
)

// Ignore says what Diff does not compare.
type Ignore struct {
	Holes  bool // which parts of a file are holes
	Owners bool // user and group
	Links  bool // numbers of links, and which names share an inode
	Times  bool
	Xattrs func(name string) bool // those for which it is true
}

// Diff tells what differs between two records, one line each, in order of the paths; nothing if they agree.
func Diff(a, b []Entry, ignore Ignore) []string {
	var lines []string
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || len(a) > 0 && a[0].Path < b[0].Path:
			lines = append(lines, fmt.Sprintf("%q: only in the first", a[0].Path))
			a = a[1:]
		case len(a) == 0 || b[0].Path < a[0].Path:
			lines = append(lines, fmt.Sprintf("%q: only in the second", b[0].Path))
			b = b[1:]
		default:
			for _, what := range differences(&a[0], &b[0], ignore) {
				lines = append(lines, fmt.Sprintf("%q: %s", a[0].Path, what))
			}
			a, b = a[1:], b[1:]
		}
	}
	return lines
}

func differences(a, b *Entry, ignore Ignore) []string {
	var lines []string
	compare := func(what string, a, b any) {
		if a != b {
			lines = append(lines, fmt.Sprintf("%s: %#v, then %#v", what, a, b))
		}
	}
	compare("kind", a.Kind, b.Kind)
	compare("mode", fmt.Sprintf("%04o", a.Mode), fmt.Sprintf("%04o", b.Mode))
	compare("size", a.Size, b.Size)
	compare("device", a.Rdev, b.Rdev)
	compare("target", a.Target, b.Target)
	compare("content", a.Sum, b.Sum)
	compare("error", a.Error, b.Error)
	if !ignore.Owners {
		compare("user", a.UID, b.UID)
		compare("group", a.GID, b.GID)
	}
	if !ignore.Times {
		compare("mtime", a.Mtime, b.Mtime)
	}
	if !ignore.Links {
		compare("links", a.Nlink, b.Nlink)
		compare("shares its inode with", a.Group, b.Group)
	}
	if !ignore.Holes && !slices.Equal(a.Data, b.Data) {
		lines = append(lines, fmt.Sprintf("data at: %v, then %v", a.Data, b.Data))
	}
	for _, name := range slices.Sorted(maps.Keys(union(a.Xattrs, b.Xattrs))) {
		if ignore.Xattrs != nil && ignore.Xattrs(name) {
			continue
		}
		av, inA := a.Xattrs[name]
		bv, inB := b.Xattrs[name]
		compare(fmt.Sprintf("has xattr %q", name), inA, inB)
		compare(fmt.Sprintf("xattr %q", name), av, bv)
	}
	return lines
}

func union(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	if all == nil {
		return b
	}
	maps.Copy(all, b)
	return all
}
