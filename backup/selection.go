package backup

import (
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"
)

// selection is which names in a directory may have changed: all of them, or those that are on the way to a path of a
// sorted list.
type selection struct {
	some  bool
	paths []string // below the directory, "/" between names, sorted; one that ends here is not among them
}

// newSelection is the selection of the root of a tree; nil paths are all.
func newSelection(root string, paths []string) (selection, error) {
	if paths == nil {
		return selection{}, nil
	}
	s := selection{some: true, paths: make([]string, 0, len(paths))}
	for _, path := range paths {
		below := path
		if filepath.IsAbs(path) {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				return s, fmt.Errorf("%q is not in %q: %w", path, root, err)
			}
			below = rel
		}
		below = filepath.Clean(below)
		if below == ".." || strings.HasPrefix(below, "../") {
			return s, fmt.Errorf("%q is not in %q", path, root)
		}
		if below == "." {
			return selection{}, nil
		}
		s.paths = append(s.paths, below)
	}
	slices.SortFunc(s.paths, comparePaths)
	s.paths = slices.Compact(s.paths)
	return s, nil
}

// comparePaths sorts paths name by name, so that what is in a directory follows it.
func comparePaths(a, b string) int {
	for {
		x, restA, moreA := strings.Cut(a, "/")
		y, restB, moreB := strings.Cut(b, "/")
		if c := strings.Compare(x, y); c != 0 {
			return c
		}
		switch {
		case !moreA && !moreB:
			return 0
		case !moreA:
			return -1
		case !moreB:
			return 1
		}
		a, b = restA, restB
	}
}

// of is the selection in the directory of that name, and whether the name is selected at all.
func (s selection) of(name string) (selection, bool) {
	if !s.some {
		return s, true
	}
	first := func(path string) string { head, _, _ := strings.Cut(path, "/"); return head }
	lo := sort.Search(len(s.paths), func(i int) bool { return first(s.paths[i]) >= name })
	if lo == len(s.paths) || first(s.paths[lo]) != name {
		return selection{}, false
	}
	if s.paths[lo] == name {
		return selection{}, true // all that is in it
	}
	hi := lo + sort.Search(len(s.paths)-lo, func(i int) bool { return first(s.paths[lo+i]) > name })
	below := make([]string, 0, hi-lo)
	for _, path := range s.paths[lo:hi] {
		below = append(below, path[len(name)+1:])
	}
	return selection{some: true, paths: below}, true
}
