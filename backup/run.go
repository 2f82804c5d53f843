package backup

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bus3/bus3/backup/cut"
	"github.com/bus3/bus3/backup/source"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/failpoint"
)

// run is one scan being made. What its stages share is here; what belongs to one of them is with that stage.
type run struct {
	o     Options
	cat   Catalog
	store Store
	repo  Repository
	tree  *source.Tree
	sizes sizes

	held    catalog.Lock
	source  catalog.Source
	scan    int64
	started time.Time
	first   bool         // the source has no rows yet
	empty   bool         // the catalog has no chunks yet
	parts   int64        // of the journal, written so far
	digest  catalog.Hash // of the last of them
	state   catalog.State

	counter  atomic.Int64 // of IDs
	progress *Progress
	mapped   mappings
	cutter   *cut.Cutter
	values   *values
	claims   claims
	devices  devices
	wanted   selection

	settled bool // all that was there before has been seen: what is found now is new

	mu       sync.Mutex // guards all below
	problems []catalog.Problem
	removed  []gone
	moves    []job
	late     []job
	closings []catalog.ID

	postponedJobs  []job
	postponedTasks []task
}

func newRun(cat Catalog, store Store, repo Repository, tree *source.Tree, o Options) (*run, error) {
	c := repo.Chunking()
	cat = patient{cat}
	r := &run{o: o, cat: cat, store: store, repo: repo, tree: tree, sizes: sizesFor(c, o.Jobs), started: time.Now()}
	var err error
	r.cutter, err = cut.New(cut.Params{
		Min: c.Min, Normal: c.Normal, Max: c.Max, Fixed: c.Fixed,
		Key: repo.Keys().ChunkingKey(), Hash: repo.Keys().HashChunk, Buffer: r.mapped.buffer,
	})
	if err != nil {
		return nil, err
	}
	if failpoint.Small() {
		r.sizes.shrink()
	}
	if o.resize != nil {
		o.resize(&r.sizes)
	}
	if r.progress = o.Progress; r.progress == nil {
		r.progress = new(Progress)
	}
	r.values = newValues(cat)
	r.wanted, err = newSelection(o.Root, o.FilesFrom)
	return r, err
}

// id is a new ID of this scan.
func (r *run) id() catalog.ID { return catalog.NewID(r.scan, r.counter.Add(1)) }

// problem reports something that could not be backed up soundly. The assembler takes it into the next rows.
func (r *run) problem(path, message string) {
	r.progress.Problems.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.problems = append(r.problems, catalog.Problem{Path: path, Message: message})
	if r.o.Problem != nil {
		r.o.Problem(path, message)
	}
}

// takeProblems hands out what was reported since the last call.
func (r *run) takeProblems() []catalog.Problem {
	r.mu.Lock()
	defer r.mu.Unlock()
	p := r.problems
	r.problems = nil
	return p
}

// work runs all stages until the scan is complete.
func (r *run) work(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	var (
		jobs    = make(chan []job, jobSlices)
		unread  = make(chan *parcel)
		parcels = make(chan *parcel, max(r.sizes.parcels-r.sizes.readers-2, 0))
		streams = make(chan struct{}, r.sizes.streams)
		unsaid  = make(chan *segment)
		groups  = make(chan *group, r.sizes.groups)
		uploads = make(chan *packing)
		batches = make(chan *pending, 1) // while one is written, packs go on
		written = make(chan *catalog.Batch)
	)
	bufs := newBuffers(r.sizes, &r.mapped)
	defer r.mapped.free()
	g.Go(func() error { defer close(jobs); return r.produce(ctx, jobs) })
	g.Go(func() error {
		defer close(parcels)
		defer close(unread)
		return r.bundle(ctx, jobs, unread, parcels, streams)
	})
	for range r.sizes.readers {
		g.Go(func() error { return r.read(ctx, unread, bufs) })
	}
	g.Go(func() error {
		defer close(groups)
		defer close(unsaid)
		return r.assemble(ctx, parcels, streams, unsaid, groups, bufs)
	})
	for range r.sizes.sealers {
		g.Go(func() error { return r.seal(ctx, unsaid, bufs) })
	}
	g.Go(func() error {
		defer close(batches)
		defer close(uploads)
		return r.pack(ctx, groups, uploads, batches, bufs)
	})
	for range packBuffers - 1 {
		g.Go(func() error { return r.upload(ctx, uploads, bufs) })
	}
	g.Go(func() error { defer close(written); return r.journal(ctx, batches, written) })
	g.Go(func() error { return r.apply(ctx, written, bufs) })
	return g.Wait()
}

func (r *run) summary() *Summary {
	return &Summary{
		Scan: r.scan, Source: r.source, State: r.state, Counts: r.progress.counts(),
		Started: r.started, Duration: time.Since(r.started),
	}
}
