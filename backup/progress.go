package backup

import (
	"sync/atomic"

	"github.com/bus3/bus3/catalog"
)

// Progress is what a run has done so far. All of it may be read while the run goes on. Sizes are bytes.
type Progress struct {
	// Files, Dirs and Others are names in the tree, by kind; Bytes is the size of the files.
	Files, Dirs, Others, Bytes atomic.Int64
	// DoneFiles and DoneBytes are those of the files that were unchanged, or have been read.
	DoneFiles, DoneBytes atomic.Int64
	// TotalFiles and TotalBytes are what the scan before this one had: an estimate, 0 if there was none.
	TotalFiles, TotalBytes atomic.Int64
	// Walked tells that all names are known: the totals are Files and Bytes now.
	Walked atomic.Bool

	New, Changed, Unchanged, Removed atomic.Int64
	BytesRead, BytesNew, BytesStored atomic.Int64
	// Rereads is how often a file was read again because it had changed meanwhile.
	Rereads                      atomic.Int64
	Objects, Problems            atomic.Int64
	EntriesOpened, EntriesClosed atomic.Int64
}

// counts is p as it is kept with the scan.
func (p *Progress) counts() catalog.Counts {
	return catalog.Counts{
		Files: p.Files.Load(), Dirs: p.Dirs.Load(), Others: p.Others.Load(),
		New: p.New.Load(), Changed: p.Changed.Load(), Unchanged: p.Unchanged.Load(), Removed: p.Removed.Load(),
		Bytes: p.Bytes.Load(), BytesRead: p.BytesRead.Load(), BytesNew: p.BytesNew.Load(), BytesStored: p.BytesStored.Load(),
		Objects: p.Objects.Load(), Problems: p.Problems.Load(),
		EntriesOpened: p.EntriesOpened.Load(), EntriesClosed: p.EntriesClosed.Load(),
	}
}

// seen counts a name of the tree.
func (p *Progress) seen(kind catalog.Kind, size int64) {
	switch kind {
	case catalog.Directory:
		p.Dirs.Add(1)
	case catalog.File:
		p.Files.Add(1)
		p.Bytes.Add(size)
	default:
		p.Others.Add(1)
	}
}

// done counts a name whose data are known.
func (p *Progress) done(kind catalog.Kind, size int64) {
	if kind == catalog.File {
		p.DoneFiles.Add(1)
		p.DoneBytes.Add(size)
	}
}
