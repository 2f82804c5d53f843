// Package restore copies a tree out of a scan to a directory, without a mount.
//
// A walker goes through the scan's directories, makes them, and gathers files into windows (walk.go). A planner finds
// where the chunks of a window are, and sorts them in the order in which they lie in packs (plan.go); so what lies
// together is read once, whatever the order of names. Workers write each chunk into the files that have it (files.go,
// finish.go). A file has another name until it is whole, and a directory gets its attributes when all that is in it is
// done (tree.go). What a run that was killed left under other names is removed by the next one (leftovers.go). What is
// there already is kept, with its own attributes or those of the backup (amend.go). Memory does not depend on the number
// of files.
package restore

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bus3/bus3/catalog"
	"golang.org/x/sync/errgroup"
)

// Catalog tells what is in a scan. The contracts are those of package catalog's engines; List may be held up while other
// methods are called.
type Catalog interface {
	Scan(ctx context.Context, scan int64) (catalog.Scan, error)
	Root(ctx context.Context, scan int64) (catalog.Entry, error)
	List(ctx context.Context, scan int64, dir catalog.ID, fn func(*catalog.Entry) error) error
	Lookup(ctx context.Context, scan int64, dir catalog.ID, name string) (catalog.Entry, error)
	Values(ctx context.Context, ids []catalog.ID, fn func(*catalog.Value) error) error
	ChunkPlaces(ctx context.Context, ids []catalog.ID, fn func(*catalog.Place) error) error
	PlacesFrom(ctx context.Context, from catalog.ID, limit int, fn func(*catalog.Place) error) error
	Pieces(ctx context.Context, content catalog.ID, from int64, limit int, fn func(*catalog.PlacedPiece) error) error
}

// Reader gives the verified plaintext of chunks.
type Reader interface {
	Chunk(ctx context.Context, p *catalog.Place, fn func(plain []byte) error) error
	// Prefetch begins to fetch what these chunks need, and returns how many of them it has taken care of.
	Prefetch(places []*catalog.Place) int
}

// Options of a restore.
type Options struct {
	Scan int64
	// Path is what is restored: absolute, as it was, or relative to the root of the backup. "" is the content of the
	// root, which goes into Dest itself; anything else becomes Dest/<its name>.
	Path string
	Dest string // directory; made if it does not exist
	// Overwrite replaces files that are there and are others. Without it they are problems. What looks the same, by kind,
	// size and time of modification, is kept in both cases; with Overwrite it gets its owner, mode, extended attributes
	// and time, as far as they differ. Directories that are there get theirs in both cases.
	Overwrite bool
	Jobs      int                        // workers; 0: twice the processors
	Progress  *Progress                  // counted up meanwhile; may be nil
	Problem   func(path, message string) // told of each path that failed, one at a time; may be nil
}

// Progress is how far a restore is.
type Progress struct {
	Files, Dirs, Bytes, Kept, Failed atomic.Int64
}

// Summary is what a restore did.
type Summary struct {
	Scan   int64
	Files  int64 // restored: files, links, devices …
	Dirs   int64 // made, or given their attributes
	Bytes  int64 // written
	Kept   int64 // were there already, the same
	Failed int64 // paths that were not restored, or not fully
	// Denied counts what this user, or the file system, could not be given, by what it is: "owner", "device",
	// "trusted.* attribute" …
	Denied   map[string]int64
	Duration time.Duration
}

// run is a restore that goes on.
type run struct {
	cat      Catalog
	reader   Reader
	o        Options
	progress *Progress
	handles  *handles
	values   *values
	links    links
	begun    begun
	prefix   string // of temporary names
	counter  atomic.Int64
	errors   atomic.Int64 // reads that failed one after the other

	mu     sync.Mutex // of denied and of calls to o.Problem
	denied map[string]int64
}

// Run restores. Paths that fail are counted, told and left out; an error means that the restore as a whole could not go
// on, and comes with the summary of what was done.
func Run(ctx context.Context, cat Catalog, reader Reader, o Options) (*Summary, error) {
	started := time.Now()
	r, err := newRun(cat, reader, o)
	if err != nil {
		return nil, err
	}
	root, top, err := r.target(ctx)
	if err != nil {
		return nil, err
	}
	defer root.handle.close()
	defer r.handles.close()
	err = r.pipeline(ctx, root, top)
	r.discardAll()
	p := r.progress
	s := &Summary{
		Scan: o.Scan, Files: p.Files.Load(), Dirs: p.Dirs.Load(), Bytes: p.Bytes.Load(), Kept: p.Kept.Load(),
		Failed: p.Failed.Load(), Denied: r.denied, Duration: time.Since(started),
	}
	if err != nil {
		return s, fmt.Errorf("restore to %q: %w", o.Dest, err)
	}
	return s, nil
}

func newRun(cat Catalog, reader Reader, o Options) (*run, error) {
	if o.Dest == "" {
		return nil, errors.New("restore: no directory to restore to")
	}
	if o.Jobs <= 0 {
		o.Jobs = 2 * runtime.GOMAXPROCS(0)
	}
	prefix, err := temporaryPrefix()
	if err != nil {
		return nil, err
	}
	r := &run{
		cat: cat, reader: reader, o: o, progress: o.Progress, prefix: prefix,
		handles: newHandles(), values: newValues(cat), links: newLinks(), begun: begun{files: make(map[*file]struct{})}, denied: make(map[string]int64),
	}
	if r.progress == nil {
		r.progress = new(Progress)
	}
	return r, nil
}

// The lengths of the pipeline's channels: windows and plans are large, tasks are small.
const (
	windowsAhead = 0
	plansAhead   = 0
	tasksAhead   = 32
)

// pipeline restores top into root: walk, plan, dispatch, write.
func (r *run) pipeline(ctx context.Context, root *dir, top *catalog.Entry) error {
	g, ctx := errgroup.WithContext(ctx)
	windows := make(chan []*file, windowsAhead)
	plans := make(chan *plan, plansAhead)
	tasks := make(chan task, tasksAhead)
	g.Go(func() error {
		defer close(windows)
		return r.walk(ctx, root, top, windows)
	})
	g.Go(func() error {
		defer close(plans)
		return r.planAll(ctx, windows, plans)
	})
	g.Go(func() error {
		defer close(tasks)
		return r.dispatch(ctx, plans, tasks)
	})
	for range r.o.Jobs {
		g.Go(func() error { return r.work(ctx, tasks) })
	}
	return g.Wait()
}

// problem counts and tells of a path that failed.
func (r *run) problem(path string, err error) {
	r.progress.Failed.Add(1)
	if r.o.Problem == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.o.Problem(path, err.Error())
}

// deny counts something that this user, or the file system, could not be given.
func (r *run) deny(what string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.denied[what]++
}
