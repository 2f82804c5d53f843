package fs

import "github.com/bus3/bus3/catalog"

// Inode numbers as programs see them are 63 bits. They are the same in every mount. An identity (Entry.Ino) alone would
// not do: `diff -r 0 1` skips what has the same number in both scans, and `cp -a 0 1` links it.
//
// cp, tar, du and others go through a directory in the order of inode numbers, because that is how disks like it. So the
// numbers of files and directories grow with their IDs, which is about the order in which their data were packed: read
// in any other order, a tree needs its packs several times. The top bits say what a number is:
//
//	1…   a directory of a scan, as its node ID
//	01…  a file with one link, a symlink or the like: its entry's ID
//	00…  a hash: names that share a file, the tops of scans, virtual nodes, and all whose numbers are too large for the above
const (
	directoryInodes = 1 << 62
	entryInodes     = 1 << 61
	inodeMask       = entryInodes - 1 // of hashes
)

// mountInode is the inode number of the mount's root.
const mountInode = 1

// Domains of hashed inode numbers.
const (
	inodeDirectory = 1 + iota
	inodeScan
	inodeLinked
	inodeVirtual
	inodeEntry
)

// inode is the inode number of item i: of a directory it depends on the scan, of anything else on the entry alone. All
// names of a file with several links agree in a scan, and files with different content or times differ.
func (l *listing) inode(i int) uint64 {
	it := &l.items[i]
	switch {
	case it.root():
		return scanInode(l.key.scan)
	case it.kind == catalog.Directory:
		return directoryInode(dirKey{scan: l.key.scan, dir: it.ino})
	case it.nlink > 1:
		return hashInode(inodeLinked, uint64(it.ino), uint64(it.mtime), uint64(it.ctime), uint64(it.size), uint64(it.data))
	}
	if id := uint64(it.id); id < entryInodes {
		return entryInodes | id
	}
	return hashInode(inodeEntry, uint64(it.id))
}

// directoryInode is the inode number of a directory in a scan.
func directoryInode(k dirKey) uint64 {
	if node, ok := packDir(k); ok {
		return directoryInodes | node&(directoryInodes-1)
	}
	return hashInode(inodeDirectory, uint64(k.scan), uint64(k.dir))
}

// scanInode is the inode number of the top directory of a scan; it is known without asking the catalog.
func scanInode(scan int64) uint64 { return hashInode(inodeScan, uint64(scan)) }

// hashInode mixes words with the finalizer of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
// generators, 2014).
func hashInode(words ...uint64) uint64 {
	var h uint64
	for _, w := range words {
		h = (h ^ w) + 0x9e3779b97f4a7c15
		h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
		h = (h ^ h>>27) * 0x94d049bb133111eb
		h ^= h >> 31
	}
	if h &= inodeMask; h > mountInode {
		return h
	}
	return h + 2
}
