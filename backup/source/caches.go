package source

import (
	"slices"
	"strings"

	"github.com/bus3/bus3/catalog"
)

// The cache directory tagging specification, https://bford.info/cachedir/.
const (
	cacheTag       = "CACHEDIR.TAG"
	cacheSignature = "Signature: 8a477f597d28d172789f06886806bc55"
)

// isCache tells whether a directory with these sorted names calls itself a cache: it has a tag, and the tag is no other file
// of that name.
func (t *Tree) isCache(d *Dir, stats []Stat) bool {
	i, found := slices.BinarySearchFunc(stats, cacheTag, func(s Stat, name string) int { return strings.Compare(s.Name, name) })
	if !found || stats[i].Kind != catalog.File || stats[i].Size < int64(len(cacheSignature)) {
		return false
	}
	f, err := t.OpenFile(d, &stats[i])
	if err != nil {
		return false
	}
	defer f.Close() //nolint:errcheck // nothing was written
	head := make([]byte, len(cacheSignature))
	if _, err := f.ReadAt(head, 0); err != nil {
		return false
	}
	return string(head) == cacheSignature
}
