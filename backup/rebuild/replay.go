package rebuild

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
)

// replay is one Sync.
type replay struct {
	cat     Catalog
	store   Store
	journal Journal
	o       Options
	report  *Report

	now      scanState                 // the scan being replayed
	marked   map[catalog.ID]int64      // sources with losses, and the first scan that has one
	surveyed map[int64]*survey         // scans with losses
	standing map[catalog.ID]catalog.ID // directories for which a stand-in was made, and its entry
	strays   []stray                   // packs that the catalog did not know at the first loss; nil before that
}

// scanState is what the catalog has of a scan. Parts is 0 while it does not know it.
type scanState struct {
	number int64
	parts  int64
	digest catalog.Hash
	source catalog.Source
	ended  bool

	last  bool  // the part that is about to be lost is known to be the last
	until int64 // ns since 1970: the scan had ended by then
}

// errDone ends a listing early.
var errDone = errors.New("done")

// run replays first the scans that the catalog has begun and not ended, then all that are new.
func (r *replay) run(ctx context.Context) error {
	next := int64(0)
	open := map[catalog.ID]int64{} // by source, the newest scan if it has no end: an older one is superseded
	err := r.cat.Scans(ctx, func(s *catalog.Scan) error {
		next = s.Number + 1
		delete(open, s.Source.ID)
		if !s.State.Finished() {
			open[s.Source.ID] = s.Number
		}
		return nil
	})
	if err != nil {
		return err
	}
	r.now.number = -1
	err = each(ctx, r.journal, func(ctx context.Context, fn func(listed) error) error {
		if err := r.listOpen(ctx, sorted(open), fn); err != nil {
			return err
		}
		return r.listNew(ctx, next, fn)
	}, func(f *fetched) error { return r.part(ctx, f) })
	if err != nil {
		return err
	}
	return r.leave(ctx)
}

// part applies one journal object, after what is missing before it.
func (r *replay) part(ctx context.Context, f *fetched) error {
	if f.fault != "" {
		return r.note(ctx, Loss{Key: repository.JournalKey(f.Scan, f.Part.Part), Scan: f.Scan, Part: f.Part.Part, Reason: f.fault}, nil)
	}
	r.report.Bytes += f.Size
	if f.Scan != r.now.number {
		if err := r.enter(ctx, f.Scan); err != nil {
			return err
		}
	}
	for r.now.parts < f.Part.Part {
		if err := r.gap(ctx, "is missing"); err != nil {
			return err
		}
	}
	return r.place(ctx, f)
}

// gap sees to the next part of the scan, which was not listed. A listing takes its time: what was stored while it went
// on may be in it without what was stored just before. So only an object that cannot be had is lost.
func (r *replay) gap(ctx context.Context, why string) error {
	f := fetch(ctx, r.journal, listed{Part: repository.Part{Scan: r.now.number, Part: r.now.parts}})
	switch {
	case f.damage != nil && !isDamage(f.damage):
		return f.damage
	case errors.Is(f.damage, s3store.ErrNotExist):
		return r.lose(ctx, r.now.parts, why, nil)
	}
	return r.place(ctx, f)
}

// place applies what has all before it.
func (r *replay) place(ctx context.Context, f *fetched) error {
	switch part := f.Part.Part; {
	case part < r.now.parts: // applied meanwhile, by somebody else
		return nil
	case f.damage != nil:
		return r.lose(ctx, part, reason(f.damage), f.damage)
	case f.batch.Begin != nil:
		return r.begin(ctx, f)
	case r.now.ended:
		return r.lose(ctx, part, "comes after the end of the scan", nil)
	case f.previous != r.now.digest:
		if err := r.tear(ctx, f); err != nil {
			return err
		}
	}
	return r.apply(ctx, f.batch)
}

// begin applies part 0, after what is missing of the scan of the same source that it follows.
func (r *replay) begin(ctx context.Context, f *fetched) error {
	b := f.batch.Begin
	r.now.source = b.Source
	if b.After >= 0 {
		if err := r.follow(ctx, b); err != nil {
			return err
		}
	}
	return r.apply(ctx, f.batch)
}

// follow sees to it that the catalog has what the writer of b had of the scan before it.
func (r *replay) follow(ctx context.Context, b *catalog.Begin) error {
	before, err := r.cat.Scan(ctx, b.After)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	if err != nil || before.Parts < b.AfterParts {
		current := r.now
		r.now = scanState{number: b.After, parts: before.Parts, digest: before.Digest, source: b.Source, ended: before.State.Finished()}
		for r.now.parts < b.AfterParts {
			r.now.last = r.now.parts == b.AfterParts-1
			r.now.until = b.Started
			why := fmt.Sprintf("is missing: scan %d of the same directory follows %d parts", current.number, b.AfterParts)
			if err := r.gap(ctx, why); err != nil {
				return err
			}
		}
		if err := r.leave(ctx); err != nil {
			return err
		}
		r.now = current
		return nil
	}
	if before.Parts > b.AfterParts {
		return fmt.Errorf("scan %d follows %d parts of scan %d, and the catalog has %d: a run that had lost its directory wrote the rest: "+
			"rebuild the catalog with --replace", r.now.number, b.AfterParts, b.After, before.Parts)
	}
	if before.Digest == b.AfterDigest || before.Digest.IsZero() || r.lossy(before.Source.ID) {
		return nil
	}
	loss := r.loss(0, fmt.Sprintf("does not follow what is stored as part %d of scan %d: one of the two was exchanged", b.AfterParts-1, b.After))
	return r.note(ctx, loss, nil)
}

// tear notes a break in the chain of a scan. After a part that is lost there is nothing to compare with.
func (r *replay) tear(ctx context.Context, f *fetched) error {
	if r.now.digest.IsZero() {
		return nil
	}
	return r.note(ctx, r.loss(f.Part.Part, fmt.Sprintf("does not follow what is stored as part %d: one of the two was exchanged", f.Part.Part-1)), nil)
}

// apply applies a batch and moves on in the scan.
func (r *replay) apply(ctx context.Context, b *catalog.Batch) error {
	if len(r.standing) > 0 {
		r.retire(b)
	}
	if b.End != nil && r.lossy(r.now.source.ID) {
		if err := r.doubt(ctx, b); err != nil {
			return err
		}
	}
	switch err := r.cat.Apply(ctx, b); {
	case errors.Is(err, catalog.ErrSuperseded):
		r.report.Ignored = append(r.report.Ignored, repository.JournalKey(b.Scan, b.Part))
	case errors.Is(err, catalog.ErrInvalid) && !b.Digest.IsZero(): // a stand-in has none, and must fit
		if known, again := r.cat.Scan(ctx, b.Scan); again == nil && known.Parts > b.Part {
			break // somebody else has applied it at the same moment: nothing is lost
		}
		return r.lose(ctx, b.Part, reason(err), err)
	case err != nil:
		return fmt.Errorf("apply part %d of scan %d: %w", b.Part, b.Scan, err)
	default:
		r.report.Parts++
		r.report.Rows += int64(b.Rows())
	}
	r.report.Scan = b.Scan
	r.now.parts, r.now.digest, r.now.ended = b.Part+1, b.Digest, b.End != nil
	if r.o.Progress != nil {
		r.o.Progress(r.report.Progress)
	}
	return nil
}

// enter turns to another scan.
func (r *replay) enter(ctx context.Context, number int64) error {
	if err := r.leave(ctx); err != nil {
		return err
	}
	known, err := r.cat.Scan(ctx, number)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	r.now = scanState{number: number, parts: known.Parts, digest: known.Digest, source: known.Source, ended: known.State.Finished()}
	return nil
}

// leave takes down how the scan that was replayed stands.
func (r *replay) leave(context.Context) error {
	is := r.now.number >= 0 && r.now.parts > 0 && !r.now.ended
	i, was := slices.BinarySearch(r.report.Unfinished, r.now.number)
	switch {
	case is && !was:
		r.report.Unfinished = slices.Insert(r.report.Unfinished, i, r.now.number)
	case was && !is:
		r.report.Unfinished = slices.Delete(r.report.Unfinished, i, i+1)
	}
	r.now = scanState{number: -1}
	return nil
}
