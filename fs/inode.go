package fs

import "github.com/bus3/bus3/catalog"

// Inode numbers as programs see them are 63 bits. They are the same in every mount. An identity (Entry.Ino) alone would
// not do: `diff -r 0 1` skips what has the same number in both scans, and `cp -a 0 1` links it.
const inodeMask = 1<<63 - 1

// mountInode is the inode number of the mount's root.
const mountInode = 1

// Domains of hashed inode numbers.
const (
	inodeDirectory = 1 + iota
	inodeScan
	inodeLinked
	inodeVirtual
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
	return uint64(it.id) * 0x9e3779b97f4a7c15 & inodeMask // odd, so different IDs stay different
}

// directoryInode is the inode number of a directory in a scan.
func directoryInode(k dirKey) uint64 { return hashInode(inodeDirectory, uint64(k.scan), uint64(k.dir)) }

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
