package backup

import (
	"context"
	"errors"
	"fmt"

	"github.com/bus3/bus3/backup/source"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/failpoint"
)

// produce sends all jobs of the scan: what the walk finds, then what was removed and moved, then what takes the place of
// directories that were removed or moved, and at last what could not be read at the first attempt.
func (r *run) produce(ctx context.Context, out chan<- []job) error {
	root, err := r.root(ctx)
	if err != nil {
		return err
	}
	if err := r.walk(ctx, []task{root}, out); err != nil {
		return err
	}
	failpoint.Hit("backup.walked")
	if err := r.settle(ctx, out); err != nil {
		return err
	}
	r.settled = true
	failpoint.Hit("backup.after-moves")
	if err := sendSlices(ctx, out, r.postponedJobs); err != nil {
		return err
	}
	if err := r.walk(ctx, r.postponedTasks, out); err != nil {
		return err
	}
	r.progress.Walked.Store(true)
	failpoint.Hit("backup.before-late")
	return r.again(ctx, out)
}

// root is the directory that everything begins with. It keeps its identity, whatever was done to it.
func (r *run) root(ctx context.Context) (task, error) {
	dir, stat, err := r.tree.Root()
	if err != nil {
		return task{}, fmt.Errorf("look at the root: %w", err)
	}
	r.progress.seen(stat.Kind, stat.Size)
	t := task{parent: dir, dir: dir, stat: stat, write: true, wanted: r.wanted}
	e, err := r.cat.CurrentRoot(ctx, r.source.ID)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		t.ino, r.first = r.id(), true
		r.devices.name(stat.Dev)
		return t, nil
	case err != nil:
		return t, fmt.Errorf("ask the catalog for the root: %w", err)
	}
	if e.SourceIno == stat.Ino {
		r.devices.learn(stat.Dev, e.Dev)
	}
	t.ino, t.row, t.lost = e.Ino, e.ID, e.Flags&catalog.Unreadable != 0
	c := &comparer{run: r}
	t.write = !(c.unchanged(&e, &stat) && (r.o.IgnoreInode || e.SourceIno == stat.Ino && e.Dev == r.devices.name(stat.Dev)))
	if !t.write {
		r.progress.Unchanged.Add(1)
	}
	r.claims.claim(t.ino)
	return t, nil
}

// postpone keeps a job until it is known what became of the directory that had its name.
func (r *run) postpone(j job) {
	stat := *j.stat
	j.stat = &stat
	r.mu.Lock()
	defer r.mu.Unlock()
	r.postponedJobs = append(r.postponedJobs, j)
}

func (r *run) postponeTask(t task) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.postponedTasks = append(r.postponedTasks, t)
}

// readLater keeps a job until everything else was read.
func (r *run) readLater(j job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.late = append(r.late, j)
}

// again sends the jobs that were kept by readLater, as often as there are any.
func (r *run) again(ctx context.Context, out chan<- []job) error {
	for {
		barrier := make(chan struct{})
		if err := sendJobs(ctx, out, []job{{barrier: barrier}}); err != nil {
			return err
		}
		select {
		case <-barrier:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		r.mu.Lock()
		late := r.late
		r.late = nil
		r.mu.Unlock()
		if len(late) == 0 {
			break
		}
		if err := r.retry(ctx, out, late); err != nil {
			return err
		}
	}
	if err := r.sendClosings(ctx, out); err != nil {
		return err
	}
	failpoint.Hit("backup.before-end")
	return sendJobs(ctx, out, []job{{end: true}})
}

// retry looks at names again and sends them if they are still files.
func (r *run) retry(ctx context.Context, out chan<- []job, late []job) error {
	var slice []job
	links := make(map[catalog.Inode]*link)
	for _, j := range late {
		stat, err := r.tree.Stat(j.dir, j.stat.Name)
		switch {
		case errors.Is(err, source.ErrVanished) || err == nil && stat.Kind != j.stat.Kind:
			if j.closes != 0 {
				r.closeLater(j.closes)
			}
			continue
		case err == nil:
			j.stat = &stat
		}
		relink(&j, links)
		j.keep, j.retried = nil, true
		slice = append(slice, j)
	}
	return sendSlices(ctx, out, slice)
}

// relink joins a name that is read again with the other names of its file: with those that were read when the file was as it
// is now, or else with those that are read again too, once. So they keep sharing what was read, and are seen to be links.
func relink(j *job, links map[catalog.Inode]*link) {
	before, s := j.link, j.stat
	j.link, j.leads = nil, false
	if before == nil || j.retried {
		return
	}
	if e := before.entry; e != nil && e.Flags == 0 && e.SourceIno == s.Ino && e.Size == s.Size && e.Mtime == s.Mtime && e.Ctime == s.Ctime {
		j.link = before
		return
	}
	key := catalog.Inode{Dev: s.Dev, Ino: s.Ino}
	if j.link = links[key]; j.link == nil {
		j.link, j.leads = new(link), true
		links[key] = j.link
	}
}

// sendSlices sends any number of jobs.
func sendSlices(ctx context.Context, out chan<- []job, jobs []job) error {
	for len(jobs) > 0 {
		n := min(len(jobs), jobSlice)
		if err := sendJobs(ctx, out, jobs[:n:n]); err != nil {
			return err
		}
		jobs = jobs[n:]
	}
	return nil
}
