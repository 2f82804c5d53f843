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
	whole    bool                      // the catalog was whole before, and may be another's too: only losses that are proved are gone around
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

// errMisfit: a journal object is authentic, and not where it should be.
var errMisfit = catalog.Invalidf("the objects of the journal do not fit together")

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
		return r.absent(ctx, f)
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

// absent notes an object of which nobody knows whose it was; so no source is to blame. A scan that neither listing had is
// looked for by the name of its first object before it is lost.
func (r *replay) absent(ctx context.Context, f *fetched) error {
	if f.scanMissing {
		found := fetch(ctx, r.journal, listed{Part: f.Part})
		switch {
		case found.damage == nil, isDamage(found.damage) && !errors.Is(found.damage, s3store.ErrNotExist):
			return r.part(ctx, found)
		case !isDamage(found.damage):
			return found.damage
		}
	}
	loss := Loss{Key: repository.JournalKey(f.Scan, f.Part.Part), Scan: f.Scan, Part: f.Part.Part, Reason: f.fault}
	if !r.o.Recover {
		return &LossError{Loss: loss}
	}
	r.report.Losses = append(r.report.Losses, loss)
	return nil
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
		return r.lose(ctx, part, "comes after the end of the scan", errMisfit)
	case f.previous != r.now.digest:
		if err := r.tear(f); err != nil {
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
	return r.note(loss, errMisfit)
}

// tear notes a break in the chain of a scan. After a part that is lost there is nothing to compare with.
func (r *replay) tear(f *fetched) error {
	if r.now.digest.IsZero() {
		return nil
	}
	return r.note(r.loss(f.Part.Part, fmt.Sprintf("does not follow what is stored as part %d: one of the two was exchanged", f.Part.Part-1)), errMisfit)
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
	case errors.Is(err, catalog.ErrInvalid) && !errors.Is(err, catalog.ErrCorrupt) && !b.Digest.IsZero(): // a stand-in has none, and must fit
		return r.lose(ctx, b.Part, reason(err), err)
	case err != nil:
		return err
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
	if known.Parts > 0 && !r.now.ended {
		return r.recall(ctx, &known)
	}
	return nil
}

// recall marks the source of a scan of which an earlier replay has put stand-ins into the catalog: its end must say so too.
func (r *replay) recall(ctx context.Context, s *catalog.Scan) error {
	lossy := s.Program == catalog.ProgramLost
	err := r.cat.Problems(ctx, s.Number, func(p *catalog.Problem) error {
		lossy = lossy || p.LostKey() != ""
		return nil
	})
	if lossy && !r.lossy(s.Source.ID) {
		r.marked[s.Source.ID] = s.Number
	}
	return err
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
