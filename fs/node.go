package fs

import (
	"sync"

	"github.com/bus3/bus3/catalog"
)

// A node ID is a catalog key, so that the server remembers nothing about files, and any node can be resolved at any
// time, whether the kernel has forgotten it in the meantime or not. The top bits say what it is:
//
//	1…    an entry that is no directory: the lower 63 bits are its ID
//	01…   a directory of a scan: 18 bits scan, 18 bits scan and 26 bits counter of its identity
//	001…  a directory of a scan whose numbers are too large for that: a key of the table below
//	000…  the virtual nodes: the mount's root (1), `latest`, `by-host` and what is below it
const (
	fileBit   = 1 << 63
	packedBit = 1 << 62
	tableBit  = 1 << 61

	packedScanBits    = 18
	packedCounterBits = 26
)

// dirKey names a directory of a scan.
type dirKey struct {
	scan int64
	dir  catalog.ID // its identity, Entry.Ino
}

// fileNode is the node ID of an entry that is no directory.
func fileNode(id catalog.ID) uint64 { return fileBit | uint64(id) }

// fileID is the entry that a node ID names, if it names one that is no directory.
func fileID(node uint64) (catalog.ID, bool) {
	id := catalog.ID(node &^ fileBit)
	return id, node&fileBit != 0 && id.Valid()
}

// packDir is the node ID of a directory of a scan, if its numbers are small enough for one without a table.
func packDir(k dirKey) (uint64, bool) {
	origin, counter := k.dir.Scan(), k.dir.Counter()
	if k.scan < 0 || k.scan>>packedScanBits != 0 || origin>>packedScanBits != 0 || counter>>packedCounterBits != 0 {
		return 0, false
	}
	return packedBit | uint64(k.scan)<<(packedScanBits+packedCounterBits) | uint64(origin)<<packedCounterBits | uint64(counter), true
}

// unpackDir is the inverse of packDir.
func unpackDir(node uint64) (dirKey, bool) {
	if node>>62 != 1 {
		return dirKey{}, false
	}
	node &^= packedBit
	counter := int64(node & (1<<packedCounterBits - 1))
	origin := int64(node >> packedCounterBits & (1<<packedScanBits - 1))
	if counter == 0 {
		return dirKey{}, false
	}
	return dirKey{scan: int64(node >> (packedScanBits + packedCounterBits)), dir: catalog.NewID(origin, counter)}, true
}

// directories gives directories of scans their node IDs. Only those that packDir refuses take a place in its table,
// for as long as the kernel knows them.
type directories struct {
	mu    sync.Mutex
	last  uint64
	nodes map[dirKey]uint64
	known map[uint64]*knownDir
}

type knownDir struct {
	key     dirKey
	lookups uint64
}

// enter is the node ID of a directory, for a reply by which the kernel comes to know it once more.
func (d *directories) enter(k dirKey) uint64 {
	if node, ok := packDir(k); ok {
		return node
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	node, ok := d.nodes[k]
	if !ok {
		if d.nodes == nil {
			d.nodes, d.known = map[dirKey]uint64{}, map[uint64]*knownDir{}
		}
		d.last++
		node = tableBit | d.last
		d.nodes[k], d.known[node] = node, &knownDir{key: k}
	}
	d.known[node].lookups++
	return node
}

// key is the directory that a node ID names, if it names one.
func (d *directories) key(node uint64) (dirKey, bool) {
	if node>>61 != 1 {
		return unpackDir(node)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if k, ok := d.known[node]; ok {
		return k.key, true
	}
	return dirKey{}, false
}

// forget takes back n of the times that the kernel came to know a node.
func (d *directories) forget(node, n uint64) {
	if node>>61 != 1 {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	k, ok := d.known[node]
	if !ok {
		return
	}
	if k.lookups > n {
		k.lookups -= n
		return
	}
	delete(d.known, node)
	delete(d.nodes, k.key)
}
