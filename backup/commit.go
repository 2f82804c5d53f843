package backup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/failpoint"
	"github.com/bus3/bus3/s3store/repository"
)

// journal writes batches to the journal, each when the store has its packs.
func (r *run) journal(ctx context.Context, batches <-chan *pending, written chan<- *catalog.Batch) error {
	for p := range batches {
		for _, o := range p.packs {
			select {
			case <-o.done:
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		}
		if p.last {
			r.finish(p.batch)
		}
		if err := r.putPart(ctx, p.batch); err != nil {
			return err
		}
		select {
		case written <- p.batch:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// finish lets a batch be the last of the scan.
func (r *run) finish(b *catalog.Batch) {
	r.state = catalog.Complete
	if r.progress.Problems.Load() > 0 {
		r.state = catalog.Partial
	}
	counts := r.progress.counts()
	counts.Objects++ // this one
	b.End = &catalog.End{Finished: time.Now().UnixNano(), State: r.state, Counts: counts}
}

// putPart writes a batch to the journal as the scan's next part, if this run still owns the source.
func (r *run) putPart(ctx context.Context, b *catalog.Batch) error {
	b.Scan, b.Part = r.scan, r.parts
	if !r.o.DryRun {
		hit(b, "packs-stored")
		if err := r.stillOurs(ctx); err != nil {
			return err
		}
		hit(b, "before-journal")
		_, err := r.repo.PutPart(ctx, b, r.digest)
		if errors.Is(err, repository.ErrTaken) { // see takeOver
			return fmt.Errorf("%w, and has taken over from this one", catalog.ErrLocked)
		}
		if err != nil {
			return fmt.Errorf("part %d of scan %d: %w", r.parts, r.scan, err)
		}
		hit(b, "after-journal")
	}
	r.digest = b.Digest
	r.parts++
	r.progress.Objects.Add(1)
	return nil
}

// apply applies batches to the catalog, behind the journal.
func (r *run) apply(ctx context.Context, written <-chan *catalog.Batch, bufs *buffers) error {
	for b := range written {
		if err := r.applyOne(ctx, b); err != nil {
			return err
		}
		hit(b, "done")
		bufs.giveBatch(b)
	}
	return context.Cause(ctx)
}

// applyOne applies a batch.
func (r *run) applyOne(ctx context.Context, b *catalog.Batch) error {
	if r.o.DryRun {
		return nil
	}
	hit(b, "before-apply")
	if err := r.cat.Apply(ctx, b); err != nil {
		return fmt.Errorf("part %d of scan %d is in the journal, but not in the catalog; the next backup goes on from there: %w", b.Part, b.Scan, err)
	}
	hit(b, "after-apply")
	return nil
}

// hit passes the fail points of a batch: its first part, its last, and those between have different ones.
func hit(b *catalog.Batch, point string) {
	switch {
	case b.Begin != nil:
		failpoint.Hit("backup.begin." + point)
	case b.End != nil:
		failpoint.Hit("backup.end." + point)
	default:
		failpoint.Hit("backup.batch." + point)
	}
}
