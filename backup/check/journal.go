package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	ahd "github.com/bus3/bus3/backup/internal/ahead"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
)

// fetches is how many journal objects are read at a time, so that the store's latency is not waited for each time.
const fetches = 4

// chain is the scan whose parts are being read.
type chain struct {
	scan    catalog.Scan
	next    int64        // part that comes next
	digest  catalog.Hash // of the part before it
	settled bool         // digest is known
}

// fetched is a journal object and what came of it.
type fetched struct {
	repository.Part
	batch    *catalog.Batch
	previous catalog.Hash
	err      error
}

// journal reads every journal object that the catalog has applied and holds it to what the catalog has.
func (c *checker) journal(ctx context.Context) error {
	seen := map[int64]bool{}
	now := &chain{}
	err := ahd.Each(ctx, fetches, func(ctx context.Context, fn func(repository.Part) error) error {
		return c.repo.Parts(ctx, 0, fn)
	}, c.fetch, func(ctx context.Context, f *fetched) error {
		c.report.JournalObjects++
		if known, ok := c.scans[f.Scan]; ok && !seen[f.Scan] {
			if err := c.close(ctx, now); err != nil {
				return err
			}
			now = &chain{scan: known}
		}
		seen[f.Scan] = true
		return c.part(ctx, now, f)
	})
	if err == nil {
		err = c.close(ctx, now)
	}
	for _, n := range slices.Sorted(maps.Keys(c.scans)) {
		if err == nil && !seen[n] {
			err = c.close(ctx, &chain{scan: c.scans[n]})
		}
	}
	if err == nil {
		err = c.gaps(ctx, seen)
	}
	if err != nil {
		return fmt.Errorf("check the journal: %w", err)
	}
	return c.judgeAhead(ctx)
}

// fetch reads a part, if the catalog has applied it.
func (c *checker) fetch(ctx context.Context, p repository.Part) *fetched {
	f := &fetched{Part: p}
	if known, ok := c.scans[p.Scan]; ok && p.Part < known.Parts {
		var damage *repository.DamageError
		for range 2 { // once is no proof
			if f.batch, f.previous, f.err = c.repo.GetPartAny(ctx, p.Scan, p.Part); !errors.As(f.err, &damage) {
				break
			}
		}
	}
	return f
}

// part checks one object and moves the chain on.
func (c *checker) part(ctx context.Context, now *chain, f *fetched) error {
	known, ok := c.scans[f.Scan]
	if !ok || f.Part.Part >= known.Parts {
		c.noteAhead(f.Part)
		return nil
	}
	for now.next < f.Part.Part {
		if err := c.unlisted(ctx, now); err != nil {
			return err
		}
	}
	return c.follow(now, f)
}

// unlisted looks for a part that the listing did not have.
func (c *checker) unlisted(ctx context.Context, now *chain) error {
	return c.follow(now, c.fetch(ctx, repository.Part{Scan: now.scan.Number, Part: now.next}))
}

// follow holds the next part of a chain to the one before it and to the catalog.
func (c *checker) follow(now *chain, f *fetched) error {
	s, part := &now.scan, f.Part.Part
	now.next = part + 1
	settled := now.settled
	now.settled = false
	var damage *repository.DamageError
	switch b := f.batch; {
	case errors.Is(f.err, s3store.ErrNotExist):
		c.fault(s, JournalMissing, f, "is missing")
		return nil
	case errors.As(f.err, &damage):
		c.fault(s, JournalDamaged, f, "is damaged: "+damage.Reason)
		return nil
	case f.err != nil:
		return f.err
	case c.lost[repository.JournalKey(f.Scan, part)]:
		c.isBack(s, f)
	case b.Begin != nil:
		c.begin(s, f)
	case settled && f.previous != now.digest:
		c.fault(s, JournalChain, f, fmt.Sprintf("does not follow part %d as it is stored: one of the two was exchanged or replaced", part-1))
	}
	now.digest, now.settled = f.batch.Digest, true
	if part == s.Parts-1 && s.Digest != f.batch.Digest && !s.Digest.IsZero() {
		c.fault(s, JournalChain, f, "is not the object that the catalog has applied: it was exchanged or replaced")
	}
	return nil
}

// begin holds part 0 to the scan that it says it follows.
func (c *checker) begin(s *catalog.Scan, f *fetched) {
	b := f.batch.Begin
	if b.Source.Host != s.Source.Host || b.Source.Root != s.Source.Root {
		c.fault(s, JournalChain, f, fmt.Sprintf("is the beginning of another scan, of %s on %s: it was exchanged", b.Source.Root, b.Source.Host))
		return
	}
	if b.After < 0 {
		return
	}
	before, ok := c.scans[b.After]
	switch {
	case !ok, before.Parts != b.AfterParts:
		c.fault(s, JournalChain, f, fmt.Sprintf("follows %d parts of scan %d, and the catalog has %d: one of the two was replaced", b.AfterParts, b.After, before.Parts))
	case before.Digest != f.previous && !before.Digest.IsZero():
		c.fault(s, JournalChain, f, fmt.Sprintf("does not follow scan %d as the catalog has it: one of the two was exchanged or replaced", b.After))
	}
}

// close reports what is missing at the end of a scan.
func (c *checker) close(ctx context.Context, now *chain) error {
	for now.next < now.scan.Parts {
		if err := c.unlisted(ctx, now); err != nil {
			return err
		}
	}
	if s := &now.scan; s.Parts > 0 && !s.State.Finished() {
		c.found(Finding{
			Severity: Note, Kind: Unfinished, Key: repository.JournalKey(s.Number, 0), Scan: s.Number,
			Message: fmt.Sprintf("scan %d (%s of %s) has no end: it is running or was interrupted; the next backup of that directory uses what it stored", s.Number, s.Source.Root, s.Source.Host),
		})
	}
	return nil
}

// fault is a fault of a part that the catalog has applied. The catalog has its rows, so nothing is lost as long as it lives.
func (c *checker) fault(s *catalog.Scan, kind Kind, f *fetched, what string) {
	key := repository.JournalKey(s.Number, f.Part.Part)
	if c.lost[key] {
		c.known(key, s.Number, fmt.Sprintf("%s of scan %d (%s of %s) %s", key, s.Number, s.Source.Root, s.Source.Host, what))
		return
	}
	c.found(Finding{
		Severity: Fault, Kind: kind, Key: key, Scan: s.Number, Bytes: f.Size,
		Message: fmt.Sprintf("%s of scan %d (%s of %s) %s; the catalog has what it told, but `bus3 rebuild` would not find it", key, s.Number, s.Source.Root, s.Source.Host, what),
	})
}
