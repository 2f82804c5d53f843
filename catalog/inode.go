package catalog

// Inode is what the source calls a file: st_dev and st_ino of stat(2). Hard links share one, moved files keep theirs.
type Inode struct {
	Dev uint64
	Ino uint64
}
