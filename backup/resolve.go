package backup

import (
	"context"
	"fmt"
	"slices"

	"github.com/bus3/bus3/backup/source"
	"github.com/bus3/bus3/catalog"
)

// resolve decides what c.pending are, sends what is to be written, and adds the directories among them to c.children.
func (c *comparer) resolve(ctx context.Context) error {
	if len(c.pending) == 0 && !c.ownRows() {
		return nil
	}
	c.order.Lock()
	defer c.order.Unlock()
	var slice []job
	send := func() error {
		if len(slice) == 0 {
			return nil
		}
		defer func() { slice = nil }()
		return sendJobs(ctx, c.out, slice)
	}
	at := 0
	for t := range c.tasks {
		switch own := c.owns[t]; {
		case own == nil:
		case c.tasks[t].moved:
			c.move(*own)
		default:
			slice = append(slice, *own)
		}
		for at < len(c.pending) && c.pending[at].task == t {
			window := c.window(at)
			places, err := c.lookUp(ctx, window)
			if err != nil {
				return err
			}
			for i := range window {
				if j, ok := c.decide(&window[i], places); ok {
					slice = append(slice, j)
				}
				if len(slice) >= jobSlice {
					if err := send(); err != nil {
						return err
					}
				}
			}
			at += len(window)
		}
	}
	if err := send(); err != nil || !c.manyClosings() {
		return err
	}
	return c.sendClosings(ctx, c.out)
}

// window is the differences from at on that are of one task, as many as are looked up at once.
func (c *comparer) window(at int) []difference {
	end := at + 1
	for end < len(c.pending) && end-at < inodeQuery && c.pending[end].task == c.pending[at].task {
		end++
	}
	return c.pending[at:end]
}

func (c *comparer) ownRows() bool {
	return slices.ContainsFunc(c.owns, func(j *job) bool { return j != nil })
}

// places is what the catalog has of the inodes that were looked up.
type places map[catalog.Inode]*catalog.Entry

// lookUp asks where else the names that are new have been.
func (c *comparer) lookUp(ctx context.Context, window []difference) (places, error) {
	if c.first || c.o.IgnoreInode {
		return nil, nil
	}
	var inodes []catalog.Inode
	for i := range window {
		if d := &window[i]; !d.same || c.mayFollow(d) {
			s := d.stat
			inodes = append(inodes, catalog.Inode{Dev: c.devices.name(s.Dev), Ino: s.Ino})
		}
	}
	if len(inodes) == 0 {
		return nil, nil
	}
	found := make(places)
	err := c.cat.CurrentByInode(ctx, c.source.ID, inodes, func(e *catalog.Entry) error {
		key := catalog.Inode{Dev: e.Dev, Ino: e.SourceIno}
		if before := found[key]; before == nil || before.Flags != 0 || before.Ctime < e.Ctime {
			clone := *e
			clone.Name, clone.Target = "", ""
			found[key] = &clone
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask the catalog for %d inodes: %w", len(inodes), err)
	}
	return found, nil
}

// decide makes a job of a difference, or a task, or leaves it for later.
func (c *comparer) decide(d *difference, found places) (job, bool) {
	t, s := &c.tasks[d.task], d.stat
	var elsewhere *catalog.Entry
	if !d.same || c.mayFollow(d) {
		elsewhere = found[catalog.Inode{Dev: c.devices.name(s.Dev), Ino: s.Ino}]
		if elsewhere != nil && elsewhere.Kind != s.Kind {
			elsewhere = nil
		}
	}
	if s.Kind == catalog.Directory {
		c.directory(t, d, elsewhere)
		return job{}, false
	}
	j := job{dir: t.dir, stat: s, in: t.ino, old: d.old}
	if d.old != nil {
		j.closes = d.old.ID
	}
	switch {
	case d.same:
		j.ino = d.old.Ino
		switch {
		case s.Kind != catalog.File:
		case c.sameData(d.old, s):
			j.keep = d.old
		case elsewhere != nil && c.sameData(elsewhere, s):
			j.ino, j.keep = elsewhere.Ino, elsewhere
		}
	case elsewhere != nil:
		j.ino = elsewhere.Ino
		if s.Kind == catalog.File && c.movedData(elsewhere, s) {
			j.keep = elsewhere
		}
	}
	if d.old != nil && d.old.Kind == catalog.Directory {
		c.remove(gone{row: d.old.ID, ino: d.old.Ino})
		j.old, j.closes = nil, 0
		c.postpone(j)
		return job{}, false
	}
	return j, true
}

// mayFollow tells whether another name of a file may have been backed up as the file is now: it got a link while the run before
// was under way. Then this name gets the same data, so that they are seen to be links.
func (c *comparer) mayFollow(d *difference) bool {
	return d.same && d.stat.Kind == catalog.File && d.stat.Nlink > 1 && !c.sameData(d.old, d.stat)
}

// sameData tells whether a file with other attributes still has the data of its row.
func (c *comparer) sameData(e *catalog.Entry, s *source.Stat) bool {
	return !c.o.Force && e.Flags == 0 && e.Size == s.Size && e.Mtime == s.Mtime && (c.o.IgnoreCtime || e.Ctime == s.Ctime)
}

// movedData tells whether a file still has the data of a row with the same inode, elsewhere. Renaming changes the ctime on most
// file systems, and then nothing tells whether the data were written too: programs that edit a file in place, set its mtime back
// and rename it are common, and so are inodes that are used again. Such a file is read; what is known of it is not stored again.
func (c *comparer) movedData(e *catalog.Entry, s *source.Stat) bool {
	return !c.devices.renamed(s.Dev) && c.sameData(e, s)
}

// directory makes a task of a directory that is new, changed or moved.
func (c *comparer) directory(t *task, d *difference, elsewhere *catalog.Entry) {
	child := task{write: true}
	switch {
	case d.same:
		child.ino, child.row, child.lost = d.old.Ino, d.old.ID, d.old.Flags&catalog.Unreadable != 0
	case elsewhere != nil && !elsewhere.IsRoot() && !c.settled && c.claims.claim(elsewhere.Ino):
		child.ino, child.row, child.moved = elsewhere.Ino, elsewhere.ID, true
		if d.old != nil {
			c.missing(d.old)
		}
	case d.old != nil && d.old.Kind == catalog.Directory:
		c.missing(d.old)
		child.ino = c.id()
		c.postponeTask(c.child(t, d.stat, child))
		return
	default:
		child.ino = c.id()
		if d.old != nil {
			child.over = d.old.ID
		}
	}
	c.children = append(c.children, c.child(t, d.stat, child))
}

// sendJobs sends jobs unless ctx is done first.
func sendJobs(ctx context.Context, out chan<- []job, jobs []job) error {
	select {
	case out <- jobs:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
