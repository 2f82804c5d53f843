package restore

import (
	"context"
	"fmt"
	"sync"

	"github.com/bus3/bus3/catalog"
	"golang.org/x/sys/unix"
)

// linkKey is what the names of one file have in common. Names that were backed up at different moments, with different
// content, are not linked.
type linkKey struct {
	ino, chunk, content catalog.ID
	mtime, ctime, size  int64
}

// links knows the first names of files with several, until all of them were met.
type links struct {
	mu    *sync.Mutex
	first map[linkKey]*leader
}

// leader is the file that the other names are linked to.
type leader struct {
	file *file
	left uint32 // names that were not met yet

	// Guarded by links.mu:
	finished bool
	err      error
	waiting  []*file
}

func newLinks() links { return links{mu: new(sync.Mutex), first: make(map[linkKey]*leader)} }

func keyOf(e *catalog.Entry) linkKey {
	return linkKey{e.Ino, e.Chunk, e.Content, e.Mtime, e.Ctime, e.Size}
}

// meet notes one more name of a file, and gives the leader, which is new if this is the first. nil: it has no others.
func (l *links) meet(f *file) (lead *leader, isNew bool) {
	if f.entry.Nlink < 2 {
		return nil, false
	}
	k := keyOf(&f.entry)
	lead = l.first[k]
	if lead == nil {
		lead = &leader{file: f, left: f.entry.Nlink - 1}
		l.first[k] = lead
		f.leads = lead
		return lead, true
	}
	if lead.left--; lead.left == 0 {
		delete(l.first, k)
	}
	return lead, false
}

// kept notes a name that is there already: others can be linked to it.
func (l *links) kept(f *file) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lead, isNew := l.meet(f); isNew {
		lead.finished = true
	}
}

// follow tells whether f is a further name of a file that was met before; then it is linked, now or when that is done.
func (l *links) follow(ctx context.Context, r *run, f *file) bool {
	l.mu.Lock()
	lead, isNew := l.meet(f)
	if lead == nil || isNew {
		l.mu.Unlock()
		return false
	}
	if !lead.finished {
		lead.waiting = append(lead.waiting, f)
		l.mu.Unlock()
		return true
	}
	l.mu.Unlock()
	r.link(ctx, lead, f)
	return true
}

// finished tells that a file is done, well or not; its other names follow.
func (l *links) finished(ctx context.Context, r *run, f *file, err error) {
	if f.leads == nil {
		return
	}
	l.mu.Lock()
	f.leads.finished, f.leads.err = true, err
	waiting := f.leads.waiting
	f.leads.waiting = nil
	l.mu.Unlock()
	for _, w := range waiting {
		r.link(ctx, f.leads, w)
	}
}

// link makes f another name of a leader that is done.
func (r *run) link(ctx context.Context, lead *leader, f *file) {
	defer r.done(ctx, f.dir)
	err := lead.err
	if err == nil {
		err = r.linkTo(lead.file, f)
	} else {
		err = fmt.Errorf("a hard link to %q: %w", lead.file.dir.child(lead.file.entry.Name), err)
	}
	if err != nil {
		r.problem(f.dir.child(f.entry.Name), err)
		return
	}
	r.progress.Files.Add(1)
}

func (r *run) linkTo(first, f *file) error {
	from, err := r.handles.open(first.dir)
	if err != nil {
		return err
	}
	defer from.close()
	to, err := r.handles.open(f.dir)
	if err != nil {
		return err
	}
	defer to.close()
	if !f.replace {
		if err := unix.Linkat(from.fd, first.entry.Name, to.fd, f.entry.Name, 0); err != nil {
			return fmt.Errorf("link to %q: %w", first.dir.child(first.entry.Name), err)
		}
		return nil
	}
	temp := r.temporary()
	if err := unix.Linkat(from.fd, first.entry.Name, to.fd, temp, 0); err != nil {
		return fmt.Errorf("link to %q: %w", first.dir.child(first.entry.Name), err)
	}
	err = rename(to.fd, temp, f)
	_ = unix.Unlinkat(to.fd, temp, 0) // it is still there if both were names of one file
	return err
}
