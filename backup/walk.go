package backup

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/bus3/bus3/backup/source"
	"github.com/bus3/bus3/catalog"
)

// task is a directory whose names are to be compared. Its identity is known: what is in it is found under it.
type task struct {
	parent *source.Dir
	dir    *source.Dir // nil: it has vanished
	stat   source.Stat
	in     catalog.ID // identity of the directory that it is in
	ino    catalog.ID // its own
	row    catalog.ID // its row as it was, here or, if it was moved, elsewhere; 0: it has none, nor has anything in it
	over   catalog.ID // the row of another thing that had this name; 0: none
	write  bool       // its row must be written, before those of what is in it
	moved  bool
	lost   bool // its row says that its names could not be read
	wanted selection
}

// frontier is the directories that are still to be compared: the last ones first, so that there are never many.
type frontier struct {
	mu    sync.Mutex
	more  *sync.Cond
	tasks []task
	busy  int  // comparers at work
	ended bool // for good, by an error
}

func newFrontier(tasks []task) *frontier {
	f := &frontier{tasks: tasks}
	f.more = sync.NewCond(&f.mu)
	return f
}

// take fills group with the next tasks. It waits for some; none means that there will be no more.
func (f *frontier) take(group []task, comparers int) []task {
	f.mu.Lock()
	defer f.mu.Unlock()
	for len(f.tasks) == 0 && f.busy > 0 && !f.ended {
		f.more.Wait()
	}
	if f.ended || len(f.tasks) == 0 {
		return group[:0]
	}
	n := min((len(f.tasks)+comparers-1)/comparers, groupDirs)
	group = group[:0]
	for i := range n { // the newest are at the end, in reverse order
		last := len(f.tasks) - 1 - i
		group = append(group, f.tasks[last])
		f.tasks[last] = task{}
	}
	f.tasks = f.tasks[:len(f.tasks)-n]
	f.busy++
	return group
}

// done gives back what was found in a group.
func (f *frontier) done(children []task) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(children) - 1; i >= 0; i-- {
		f.tasks = append(f.tasks, children[i])
	}
	f.busy--
	f.more.Broadcast()
}

// end lets everybody go home.
func (f *frontier) end() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.ended = true
	f.more.Broadcast()
}

// walk compares all that is below tasks with the catalog, and sends what there is to write.
func (r *run) walk(ctx context.Context, tasks []task, out chan<- []job) error {
	f := newFrontier(tasks)
	g, ctx := errgroup.WithContext(ctx)
	stop := context.AfterFunc(ctx, f.end)
	defer stop()
	var order sync.Mutex // held while the jobs of a group are sent: they stay together
	for range r.sizes.comparers {
		g.Go(func() error {
			c := &comparer{run: r, out: out, order: &order}
			for {
				c.tasks = f.take(c.tasks, r.sizes.comparers)
				if len(c.tasks) == 0 {
					return context.Cause(ctx)
				}
				if err := c.compare(ctx); err != nil {
					return err
				}
				f.done(c.children)
			}
		})
	}
	return g.Wait()
}
