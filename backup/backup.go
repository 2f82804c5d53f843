package backup

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/bus3/bus3/backup/source"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/seal"
)

// Options are what a run does. Only Root and Host must be set.
type Options struct {
	Root    string // absolute path of the directory, symlinks on the way to it resolved
	Host    string
	Tags    []string
	Program string // "bus3 1.2.3", kept with the scan

	OneFileSystem bool // leave out the inside of other mounts
	SkipCaches    bool // leave out the inside of directories with a CACHEDIR.TAG
	IgnoreInode   bool // for file systems whose inode numbers are not stable: compare without them, and see no moves
	IgnoreCtime   bool // for file systems whose ctime is not reliable
	Force         bool // read all files, unchanged ones too
	DryRun        bool // say what would be stored, and store nothing

	// Skip leaves out what it tells true of; it is given absolute paths. Nil leaves out nothing.
	Skip func(path string, dir bool) bool
	// FilesFrom, if not nil, are the only paths that may have changed, absolute or relative to Root. They are compared,
	// directories with all that is in them, and so are the directories on the way to them; all else is taken as unchanged.
	FilesFrom []string

	Compression seal.Compression
	Jobs        int // how many files are read at once; 0 is DefaultJobs

	// CatchUp applies what the journal has and the catalog lacks. It is called when the number of the scan turns out to
	// be taken, and when the run before this one was interrupted. Nil does nothing.
	CatchUp func(ctx context.Context) error
	// Progress is counted in while the run goes on, if not nil.
	Progress *Progress
	// Problem is told what could not be backed up soundly, by one goroutine at a time. Nil tells nobody; the scan
	// keeps the problems in any case.
	Problem func(path, message string)

	resize func(*sizes) // nil: the sizes of budget.go; tests make them small
}

// Summary is what a run did.
type Summary struct {
	Scan     int64 // its number; of a dry run, the one that it would have had
	Source   catalog.Source
	State    catalog.State // Partial if there were problems
	Counts   catalog.Counts
	Started  time.Time
	Duration time.Duration
}

// Run makes one scan of a directory. It returns catalog.ErrLocked if another run of the same directory is under way.
// On any error, and when ctx is cancelled, the scan stays incomplete: what it has committed stays, and the next run
// goes on from there.
func Run(ctx context.Context, cat Catalog, store Store, repo Repository, o Options) (*Summary, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	tree, err := source.Open(o.Root, source.Options{OneFileSystem: o.OneFileSystem, SkipCaches: o.SkipCaches})
	if err != nil {
		return nil, err
	}
	defer tree.Close() //nolint:errcheck // nothing was written
	r, err := newRun(cat, store, repo, tree, o)
	if err != nil {
		return nil, err
	}
	if !o.DryRun {
		if err := r.lock(ctx); err != nil {
			return nil, err
		}
		defer r.unlock()
	}
	if err := r.begin(ctx); err != nil {
		return nil, fmt.Errorf("begin the backup of %q: %w", o.Root, err)
	}
	if err := r.work(ctx); err != nil {
		return nil, fmt.Errorf("back up %q: %w", o.Root, err)
	}
	return r.summary(), nil
}

func (o *Options) check() error {
	switch {
	case !filepath.IsAbs(o.Root) || filepath.Clean(o.Root) != o.Root:
		return fmt.Errorf("back up %q: not a clean absolute path", o.Root)
	case o.Host == "":
		return errors.New("back up: no name of the host")
	case o.Jobs < 0:
		return fmt.Errorf("back up with %d jobs", o.Jobs)
	}
	return nil
}
