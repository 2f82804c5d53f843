package backup

import (
	"context"

	"github.com/bus3/bus3/catalog"
)

// bundle makes parcels of jobs: each is given to the readers, and takes its place in the queue of the assembler, which
// opens them in this order. streams takes one for each large file on its way, and bounds how many there are.
func (r *run) bundle(ctx context.Context, jobs <-chan []job, unread, queue chan<- *parcel, streams chan<- struct{}) error {
	b := &bundler{links: linkTable{links: make(map[catalog.Inode]*link)}}
	send := func(p *parcel) error {
		if p.stream != nil { // here, where parcels are in their order: the next that is assembled has its place
			select {
			case streams <- struct{}{}:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		for _, out := range []chan<- *parcel{queue, unread} {
			select {
			case out <- p:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		return nil
	}
	for slice := range jobs {
		for i := range slice {
			j := &slice[i]
			b.links.join(j)
			for _, p := range b.add(j, r.sizes.blocks) {
				if err := send(p); err != nil {
					return err
				}
			}
		}
		if len(jobs) > 0 || b.open == nil {
			continue
		}
		if err := send(b.take()); err != nil { // nothing more for the moment: what there is need not wait
			return err
		}
	}
	if p := b.take(); p != nil && ctx.Err() == nil {
		return send(p)
	}
	return context.Cause(ctx)
}

// bundler fills one parcel at a time.
type bundler struct {
	open  *parcel
	bytes int64
	links linkTable
	full  [2]*parcel
}

// add takes a job and returns the parcels that are full by it.
func (b *bundler) add(j *job, blocks int) []*parcel {
	out := b.full[:0]
	size := int64(0)
	if j.reads() {
		size = j.stat.Size
	}
	if b.open != nil && (b.bytes+size > parcelBytes || j.retried || len(b.open.jobs) >= parcelJobs) {
		out = append(out, b.take())
	}
	if b.open == nil {
		b.open = newParcel()
	}
	b.open.jobs = append(b.open.jobs, *j)
	b.bytes += size
	switch {
	case j.reads() && (j.retried || !small(size)):
		b.open.stream = make(chan *block, blocks)
		out = append(out, b.take())
	case j.barrier != nil || j.end:
		out = append(out, b.take())
	}
	return out
}

// take is the parcel that is being filled, or nil.
func (b *bundler) take() *parcel {
	p := b.open
	b.open, b.bytes = nil, 0
	return p
}

func newParcel() *parcel {
	return &parcel{jobs: make([]job, 0, 32), ready: make(chan struct{})}
}

// linkTable is the files with several names of which some are still to come; and for a while those of which all have come:
// one that is renamed meanwhile is met once more.
type linkTable struct {
	links map[catalog.Inode]*link
	queue []catalog.Inode // oldest first
	whole []catalog.Inode // those of which all have come
}

// join gives a file that has several names its link. The first name leads. A file that has one name may have got another one
// since it was listed, which has come already: it follows.
func (t *linkTable) join(j *job) {
	if j.barrier != nil { // what was kept for later is read name by name
		clear(t.links)
		t.queue, t.whole = nil, nil
		return
	}
	if j.stat == nil || j.stat.Kind == catalog.Directory || j.retried || j.stat.Nlink < 2 && len(t.links) == 0 {
		return
	}
	key := catalog.Inode{Dev: j.stat.Dev, Ino: j.stat.Ino}
	l := t.links[key]
	if l == nil && j.stat.Nlink < 2 {
		return
	}
	if l == nil {
		l = &link{left: j.stat.Nlink}
		t.add(key, l)
		j.leads = true
	}
	j.link = l
	if l.left == 0 {
		return
	}
	if l.left--; l.left == 0 {
		t.complete(key)
	}
}

func (t *linkTable) complete(key catalog.Inode) {
	t.whole = append(t.whole, key)
	if len(t.whole) > wholeLinks {
		delete(t.links, t.whole[0])
		t.whole = t.whole[1:]
	}
}

func (t *linkTable) add(key catalog.Inode, l *link) {
	t.links[key] = l
	t.queue = append(t.queue, key)
	if len(t.links) > linkedFiles { // the catalog knows the oldest by now
		delete(t.links, t.queue[0])
		t.queue = t.queue[1:]
	} else if len(t.queue) > 2*linkedFiles {
		t.compact()
	}
}

// compact forgets in the queue what is complete.
func (t *linkTable) compact() {
	kept := t.queue[:0]
	for _, key := range t.queue {
		if t.links[key] != nil {
			kept = append(kept, key)
		}
	}
	t.queue = kept
}
