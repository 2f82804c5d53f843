package fs

import (
	"sync"

	"github.com/bus3/bus3/catalog"
)

// tops remembers, of each source, the entry of its root directory that was asked for last: nearly all its scans have the
// same one. Without it, `ls -l` of the top of the mount would need a query for each scan.
type tops struct {
	mu       sync.Mutex
	bySource map[catalog.ID]seenTop
}

// seenTop is an entry, and how many times the list of scans had been read before it was asked for. A scan that was in the
// list by then was finished: nothing that was in it can have been closed since.
type seenTop struct {
	entry catalog.Entry
	read  int64
}

// of is the entry of the root of a scan, if it is known.
func (t *tops) of(i *scanInfo) (e catalog.Entry, ok bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen, ok := t.bySource[i.Source.ID]
	return seen.entry, ok && i.listed <= seen.read && seen.entry.In(i.Number)
}

// add remembers the entry of the root of a scan, which was asked for when the list had been read that many times.
func (t *tops) add(i *scanInfo, e *catalog.Entry, read int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.bySource == nil {
		t.bySource = map[catalog.ID]seenTop{}
	}
	t.bySource[i.Source.ID] = seenTop{*e, read}
}
