package fs

import (
	"testing"

	"github.com/bus3/bus3/catalog"
)

// items is a listing of entries as they are, whatever their names.
func items(scan int64, all ...item) *listing { return &listing{key: dirKey{scan: scan}, items: all} }

func TestInodeNumbersGrowWithIDs(t *testing.T) {
	// As the kernel's file systems: who reads a directory in the order of inode numbers reads packs in their order.
	var files, dirs []item
	for _, id := range []catalog.ID{catalog.NewID(0, 1), catalog.NewID(0, 2), catalog.NewID(0, 1<<30), catalog.NewID(1, 1), catalog.NewID(100_000, 7)} {
		files = append(files, item{id: id, ino: 1, kind: catalog.File, nlink: 1})
		dirs = append(dirs, item{id: 1, ino: id, kind: catalog.Directory, nlink: 2})
	}
	dirs = append(dirs[:2], dirs[3:]...) // without the counter that is too large for a node ID
	for _, l := range []*listing{items(200_000, files...), items(200_000, dirs...)} {
		for i := 1; i < len(l.items); i++ {
			if l.inode(i-1) >= l.inode(i) {
				t.Errorf("item %d has number %x, the next one %x", i-1, l.inode(i-1), l.inode(i))
			}
		}
	}
}

func TestInodeNumbersAreDistinct(t *testing.T) {
	seen := map[uint64]string{mountInode: "the mount"}
	check := func(what string, n uint64) {
		t.Helper()
		if n == 0 || n>>63 != 0 {
			t.Errorf("%s has number %x", what, n)
		}
		if other := seen[n]; other != "" {
			t.Errorf("%s and %s have number %x", what, other, n)
		}
		seen[n] = what
	}
	ids := []catalog.ID{1, 2, catalog.NewID(1, 1), catalog.NewID(catalog.MaxScan, 1), catalog.NewID(catalog.MaxScan, catalog.MaxCounter)}
	for _, id := range ids {
		check("file "+id.String(), items(3, item{id: id, ino: 1, kind: catalog.File, nlink: 1}).inode(0))
		check("linked file "+id.String(), items(3, item{id: 1, ino: id, kind: catalog.File, nlink: 2}).inode(0))
		for _, scan := range []int64{3, 4, catalog.MaxScan} {
			check("directory "+id.String(), items(scan, item{id: 1, ino: id, kind: catalog.Directory, nlink: 2}).inode(0))
		}
	}
	for _, scan := range []int64{0, 1, catalog.MaxScan} {
		check("a scan", scanInode(scan))
	}
}
