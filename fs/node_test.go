package fs

import (
	"testing"

	"github.com/bus3/bus3/catalog"
)

func TestNodesOfDirectoriesLeadBackToThem(t *testing.T) {
	var d directories
	seen := map[uint64]dirKey{}
	for _, scan := range []int64{0, 1, 1<<18 - 1, 1 << 18, catalog.MaxScan} {
		for _, dir := range []catalog.ID{catalog.NewID(0, 1), catalog.NewID(1<<18-1, 1<<26-1), catalog.NewID(1<<18, 1), catalog.NewID(0, 1<<26), catalog.NewID(catalog.MaxScan, catalog.MaxCounter)} {
			k := dirKey{scan, dir}
			node := d.enter(k)
			if other, ok := seen[node]; ok || virtual(node) {
				t.Errorf("%v and %v have node %x", k, other, node)
			}
			seen[node] = k
			if _, file := fileID(node); file {
				t.Errorf("the node %x of %v is one of a file", node, k)
			}
			if back, ok := d.key(node); !ok || back != k {
				t.Errorf("node %x of %v leads to %v, %v", node, k, back, ok)
			}
		}
	}
	if len(d.known) == 0 || len(d.known) == len(seen) {
		t.Errorf("%d of %d directories are in the table", len(d.known), len(seen))
	}
}

func TestTableOfDirectoriesEmptiesWhenTheKernelForgets(t *testing.T) {
	var d directories
	k := dirKey{catalog.MaxScan, catalog.NewID(5, 6)}
	node := d.enter(k)
	if again := d.enter(k); again != node {
		t.Errorf("one directory has the nodes %x and %x", node, again)
	}
	d.forget(node, 1)
	if _, ok := d.key(node); !ok {
		t.Error("the directory is forgotten too early")
	}
	d.forget(node, 1)
	d.forget(node, 1)
	if len(d.known)+len(d.nodes) != 0 {
		t.Error("the directory is not forgotten")
	}
	if other := d.enter(k); other == node {
		t.Error("a node ID is used again")
	}
}

func TestNodesOfFilesLeadBackToThem(t *testing.T) {
	for _, id := range []catalog.ID{catalog.NewID(0, 1), catalog.NewID(catalog.MaxScan, 1), catalog.NewID(17, catalog.MaxCounter)} {
		node := fileNode(id)
		if back, ok := fileID(node); !ok || back != id || virtual(node) {
			t.Errorf("node %x of %s leads to %s, %v", node, id, back, ok)
		}
		if _, ok := unpackDir(node); ok {
			t.Errorf("the node %x of a file is one of a directory", node)
		}
	}
	if _, ok := fileID(fileBit); ok {
		t.Error("a node without an ID is one of a file")
	}
}
