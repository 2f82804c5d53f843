package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// node is a name of the tree. Its number, for the kernel, is its place in the tree plus one; the root is the first.
type node struct {
	name        string
	mode        uint32 // with the kind
	size        uint64 // bytes
	target      string // of a symlink
	first, last int    // of a directory: what is in it, in the order of names
}

// plain is a tree of directories with files of one size.
func plain(dirs, files, size int) []node {
	tree := []node{{mode: syscall.S_IFDIR | 0o755, first: 1, last: 1 + dirs}}
	for d := range dirs {
		first := 1 + dirs + d*files
		tree = append(tree, node{name: fmt.Sprintf("d%05d", d), mode: syscall.S_IFDIR | 0o755, first: first, last: first + files})
	}
	for range dirs {
		for f := range files {
			tree = append(tree, node{name: fmt.Sprintf("f%05d", f), mode: syscall.S_IFREG | 0o644, size: uint64(size)})
		}
	}
	return tree
}

// like is a tree with the names, kinds, modes, sizes and targets that are below a directory.
func like(root string) ([]node, error) {
	tree, paths := []node{{mode: syscall.S_IFDIR | 0o755}}, []string{root}
	for i := 0; i < len(tree); i++ {
		if tree[i].mode&syscall.S_IFMT != syscall.S_IFDIR {
			continue
		}
		names, err := os.ReadDir(paths[i])
		if err != nil {
			return nil, err
		}
		tree[i].first = len(tree)
		for _, name := range names {
			path := filepath.Join(paths[i], name.Name())
			n := node{name: name.Name()}
			var st syscall.Stat_t
			if err := syscall.Lstat(path, &st); err != nil {
				return nil, fmt.Errorf("look at %q: %w", path, err)
			}
			if n.mode, n.size = st.Mode, uint64(st.Size); st.Mode&syscall.S_IFMT == syscall.S_IFLNK {
				if n.target, err = os.Readlink(path); err != nil {
					return nil, err
				}
			}
			tree, paths = append(tree, n), append(paths, path)
		}
		tree[i].last = len(tree)
	}
	return tree, nil
}

// lookup is the number of a name in a directory, 0 if there is none.
func lookup(tree []node, dir *node, name string) uint64 {
	i, ok := slices.BinarySearchFunc(tree[dir.first:dir.last], name, func(n node, name string) int { return cmp.Compare(n.name, name) })
	if !ok {
		return 0
	}
	return uint64(dir.first + i + 1)
}
