package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/repository"
)

// maxGap is how many numbers in a row may be missing among the scans and be named one by one: they are dense.
const maxGap = 1000

// ahead is what the journal had of a scan beyond what the catalog had when the check began.
type ahead struct {
	first, last int64 // parts
	objects     int64
	bytes       int64
	pending     bool // somebody will apply it
}

func (c *checker) noteAhead(p repository.Part) {
	a := c.ahead[p.Scan]
	if a == nil {
		a = &ahead{first: p.Part}
		c.ahead[p.Scan] = a
	}
	a.last = p.Part
	a.objects++
	a.bytes += p.Size
}

// gaps finds numbers that no scan has, in the catalog or in the journal, although a later one does.
func (c *checker) gaps(ctx context.Context, seen map[int64]bool) error {
	for n := range c.scans {
		seen[n] = true
	}
	next := int64(0)
	for _, n := range slices.Sorted(maps.Keys(seen)) {
		if n-next > maxGap {
			c.found(Finding{
				Severity: Fault, Kind: Foreign, Key: repository.JournalKey(n, 0), Scan: n,
				Message: fmt.Sprintf("the journal has objects of scan %d, and none of the scans from %d on: bus3 did not put them there, or those are lost", n, next),
			})
			return nil
		}
		for ; next < n; next++ {
			if err := c.absent(ctx, next); err != nil {
				return err
			}
		}
		next = n + 1
		c.highest = max(c.highest, n)
	}
	return nil
}

// absent reports a scan of which nobody has anything, unless it has begun since the journal was listed.
func (c *checker) absent(ctx context.Context, scan int64) error {
	_, _, err := c.repo.GetPartAny(ctx, scan, 0)
	var damage *repository.DamageError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &damage):
		return err
	}
	key := repository.JournalKey(scan, 0)
	what := fmt.Sprintf("scan %d is missing from the journal and from the catalog, although later scans are there: all of it is lost", scan)
	if scan < c.newest { // a catalog never goes past a number but when it is filled around the loss
		c.known(key, scan, what)
		return nil
	}
	c.found(Finding{Severity: Fault, Kind: JournalMissing, Key: key, Scan: scan, Message: what})
	return nil
}

// promised is the packs that those parts tell of which the catalog is still to apply.
func (c *checker) promised(ctx context.Context) (map[catalog.PackID]bool, error) {
	packs, from := map[catalog.PackID]bool{}, int64(catalog.MaxScan)
	for n, a := range c.ahead {
		if a.pending {
			from = min(from, n)
		}
	}
	err := c.repo.Parts(ctx, from, func(p repository.Part) error {
		if a := c.ahead[p.Scan]; a == nil || !a.pending || p.Part < a.first {
			return nil
		}
		b, _, err := c.repo.GetPartAny(ctx, p.Scan, p.Part)
		var damage *repository.DamageError
		switch {
		case errors.As(err, &damage):
			return nil // who is to apply it will say so
		case err != nil:
			return err
		}
		for i := range b.Packs {
			packs[b.Packs[i].Key] = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read what the catalog has not applied: %w", err)
	}
	return packs, nil
}

// judgeAhead looks at the catalog again: what it has now was being written. The rest it lacks, or nobody will ever apply it.
func (c *checker) judgeAhead(ctx context.Context) error {
	if len(c.ahead) == 0 {
		return nil
	}
	scans, newest, highest := map[int64]catalog.Scan{}, map[catalog.ID]int64{}, int64(-1)
	err := c.cat.Scans(ctx, func(s *catalog.Scan) error {
		if c.ahead[s.Number] != nil {
			scans[s.Number] = *s
		}
		newest[s.Source.ID] = s.Number
		highest = s.Number
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the catalog's scans: %w", err)
	}
	for _, n := range slices.Sorted(maps.Keys(c.ahead)) {
		a, s := c.ahead[n], scans[n]
		f := Finding{Key: repository.JournalKey(n, a.first), Scan: n, Bytes: a.bytes}
		switch {
		case s.Parts > a.last:
			continue
		case s.State.Finished() && s.Parts <= a.first:
			f.Severity, f.Kind = Fault, JournalChain
			f.Message = fmt.Sprintf("%s comes after the end of scan %d, which has %d parts: it was not put there by bus3, or the end was exchanged", f.Key, n, s.Parts)
		case s.Parts > 0 && newest[s.Source.ID] != n, s.Parts == 0 && n < highest:
			f.Severity, f.Kind = Garbage, JournalIgnored
			f.Message = fmt.Sprintf("%d journal objects of scan %d were written by a run that had lost its directory to a later one, or had claimed a number in vain; everybody ignores them", a.objects, n)
		default:
			c.report.Behind += a.objects
			a.pending = true
			f.Severity, f.Kind = Note, JournalAhead
			f.Message = fmt.Sprintf("the catalog lacks %d journal objects of scan %d: a backup is running, or another catalog was used, or this one is an old copy; the next backup catches up", a.objects, n)
		}
		c.found(f)
	}
	return nil
}
