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

// maxClaims is how often a number is claimed at the most: others may be faster each time, but not for ever.
const maxClaims = 1000

// lock takes the source for this run alone.
func (r *run) lock(ctx context.Context) error {
	held, err := r.cat.LockSource(ctx, r.o.Host, r.o.Root)
	if err != nil {
		return fmt.Errorf("lock %q of host %s: %w", r.o.Root, r.o.Host, err)
	}
	r.held = held
	failpoint.Hit("backup.locked")
	return nil
}

func (r *run) unlock() { _ = r.held.Release() } // it ends with the process at the latest

// stillOurs tells whether the run still has the source. A lock that was lost with its session, because the catalog was restarted,
// is taken again, if nobody else has written in between.
func (r *run) stillOurs(ctx context.Context) error {
	cause := r.held.Check(ctx)
	if cause == nil {
		return nil
	}
	deadline := time.Now().Add(availability)
	for {
		err := r.lockAgain(ctx)
		if err == nil {
			return nil
		}
		if !errors.Is(err, catalog.ErrUnavailable) || time.Now().After(deadline) {
			return errors.Join(cause, err)
		}
		if err := sleep(ctx, time.Second/4); err != nil {
			return err
		}
	}
}

// lockAgain takes the source once more, if no other scan of it has begun.
func (r *run) lockAgain(ctx context.Context) error {
	held, err := r.cat.LockSource(ctx, r.o.Host, r.o.Root)
	if err != nil {
		return err
	}
	newest, err := r.cat.NewestScan(ctx, r.source.ID)
	if err == nil && newest.Number != r.scan {
		err = fmt.Errorf("%w: it is scan %d", catalog.ErrSuperseded, newest.Number)
	}
	if err != nil {
		_ = held.Release() // it may be tried again
		return err
	}
	_ = r.held.Release()
	r.held = held
	return nil
}

// begin claims a number, and takes over what an interrupted run has left.
func (r *run) begin(ctx context.Context) error {
	newest, err := r.past(ctx)
	if err != nil {
		return err
	}
	if newest.Number >= 0 && !newest.State.Finished() && !r.o.DryRun {
		if newest, err = r.takeOver(ctx); err != nil {
			return err
		}
	}
	for range maxClaims {
		if r.scan, err = r.cat.NextScan(ctx); err != nil {
			return err
		}
		r.empty = r.scan == 0
		if r.o.DryRun {
			return r.beginDry()
		}
		err = r.claim(ctx, newest)
		switch {
		case errors.Is(err, repository.ErrTaken), errors.Is(err, catalog.ErrBehind):
			if newest, err = r.caughtUp(ctx); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		r.progress.TotalFiles.Store(newest.Counts.Files)
		r.progress.TotalBytes.Store(newest.Counts.Bytes)
		if newest.Number >= 0 && !newest.State.Finished() {
			return r.adopt(ctx)
		}
		return nil
	}
	return fmt.Errorf("%w: %d numbers in a row were claimed by others", repository.ErrTaken, maxClaims)
}

func (r *run) beginDry() error {
	if r.source.ID == 0 {
		r.source.ID = r.id()
	}
	return nil
}

// past is the newest scan of the source, with number -1 if there is none. It sets the source.
func (r *run) past(ctx context.Context) (catalog.Scan, error) {
	none := catalog.Scan{Number: -1}
	r.source = catalog.Source{Host: r.o.Host, Root: r.o.Root}
	source, err := r.cat.FindSource(ctx, r.o.Host, r.o.Root)
	if errors.Is(err, catalog.ErrNotFound) {
		return none, nil
	}
	if err != nil {
		return none, err
	}
	r.source = source
	newest, err := r.cat.NewestScan(ctx, source.ID)
	if errors.Is(err, catalog.ErrNotFound) {
		return none, nil
	}
	return newest, err
}

// caughtUp is the newest scan of the source when the catalog has all of the journal.
func (r *run) caughtUp(ctx context.Context) (catalog.Scan, error) {
	if r.o.CatchUp != nil {
		if err := r.o.CatchUp(ctx); err != nil {
			return catalog.Scan{}, fmt.Errorf("bring the catalog up to date: %w", err)
		}
	}
	failpoint.Hit("backup.caught-up")
	return r.past(ctx)
}

// takeOver ends what an interrupted run has left: an empty part behind the last one of its journal. Should that run be
// alive after all, without knowing that it has lost the source, it finds its next part taken and stops; so nothing can
// come behind what this run builds upon.
func (r *run) takeOver(ctx context.Context) (catalog.Scan, error) {
	for range maxClaims {
		newest, err := r.caughtUp(ctx) // its journal may have more than the catalog
		if err != nil || newest.Number < 0 || newest.State.Finished() {
			return newest, err
		}
		fence := &catalog.Batch{Scan: newest.Number, Part: newest.Parts}
		_, err = r.repo.PutPart(ctx, fence, newest.Digest)
		if errors.Is(err, repository.ErrTaken) {
			continue // it is alive, and has just written this part
		}
		if err != nil {
			return newest, err
		}
		failpoint.Hit("backup.fenced")
		if err := r.applyOne(ctx, fence); err != nil {
			return newest, err
		}
		newest.Parts, newest.Digest = newest.Parts+1, fence.Digest
		return newest, nil
	}
	return catalog.Scan{}, fmt.Errorf("%w: another backup of this directory goes on writing", catalog.ErrLocked)
}

// claim makes the scan's number this run's: whoever stores part 0 has it.
func (r *run) claim(ctx context.Context, newest catalog.Scan) error {
	r.counter.Store(0)
	source := r.source
	if source.ID == 0 {
		source.ID = r.id()
	}
	b := &catalog.Batch{Scan: r.scan, Begin: &catalog.Begin{
		Source: source, Started: r.started.UnixNano(), Tags: r.o.Tags, Program: r.o.Program,
		After: newest.Number, AfterParts: newest.Parts, AfterDigest: newest.Digest,
	}}
	hit(b, "before-journal")
	if _, err := r.repo.PutPart(ctx, b, catalog.Hash{}); err != nil {
		return err
	}
	hit(b, "after-journal")
	r.source, r.parts, r.digest = source, 1, b.Digest
	r.progress.Objects.Add(1)
	if err := r.applyOne(ctx, b); err != nil {
		return err
	}
	failpoint.Hit("backup.begun")
	return nil
}
