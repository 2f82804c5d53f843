package check

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
)

// chain is the scan whose parts are being read.
type chain struct {
	scan    catalog.Scan
	next    int64        // part that comes next
	digest  catalog.Hash // of the part before it
	settled bool         // digest is known
}

// journal reads every journal object and holds it to what the catalog has applied.
func (c *checker) journal(ctx context.Context) error {
	seen := map[int64]bool{}
	var now chain
	err := c.repo.Parts(ctx, 0, func(p repository.Part) error {
		c.report.JournalObjects++
		known, ok := c.scans[p.Scan]
		if !ok {
			c.ahead(p, "the catalog does not know the scan yet: it has just begun, was begun and never went on, or another catalog wrote it; the next backup catches up")
			return nil
		}
		if !seen[p.Scan] {
			seen[p.Scan] = true
			c.close(&now)
			now = chain{scan: known}
		}
		return c.part(ctx, &now, p)
	})
	if err != nil {
		return fmt.Errorf("read the journal: %w", err)
	}
	c.close(&now)
	for _, n := range slices.Sorted(maps.Keys(c.scans)) {
		if !seen[n] {
			whole := chain{scan: c.scans[n]}
			c.close(&whole)
		}
	}
	return nil
}

// part checks one object and moves the chain on.
func (c *checker) part(ctx context.Context, now *chain, p repository.Part) error {
	for ; now.next < min(p.Part, now.scan.Parts); now.next++ {
		c.missing(now, now.next)
	}
	if p.Part >= now.scan.Parts {
		c.ahead(p, "the catalog has not applied it: the scan runs, or was written by a run that had lost its directory; the next backup sees to it")
		return nil
	}
	now.next = p.Part + 1
	b, previous, err := c.repo.GetPartAny(ctx, p.Scan, p.Part)
	var damage *repository.DamageError
	switch {
	case errors.Is(err, s3store.ErrNotExist):
		c.missing(now, p.Part)
		now.settled = false
		return nil
	case errors.As(err, &damage), errors.Is(err, catalog.ErrInvalid):
		c.fault(now, JournalDamaged, p.Part, p.Size, fmt.Sprintf("is damaged: %v", err))
		now.settled = false
		return nil
	case err != nil:
		return err
	}
	if b.Begin != nil {
		c.begin(now, b.Begin, previous)
	} else if now.settled && previous != now.digest {
		c.fault(now, JournalChain, p.Part, p.Size, fmt.Sprintf("does not follow part %d as it is stored: one of the two was exchanged", p.Part-1))
	}
	now.digest, now.settled = b.Digest, true
	if p.Part == now.scan.Parts-1 && now.scan.Digest != b.Digest && !now.scan.Digest.IsZero() {
		c.fault(now, JournalChain, p.Part, p.Size, "is not the object that the catalog has applied: it was exchanged or replaced")
	}
	return nil
}

// begin holds part 0 to the scan that it says it follows.
func (c *checker) begin(now *chain, b *catalog.Begin, previous catalog.Hash) {
	if b.Source.Host != now.scan.Source.Host || b.Source.Root != now.scan.Source.Root {
		c.fault(now, JournalChain, 0, 0, fmt.Sprintf("is the beginning of another scan, of %s on %s", b.Source.Root, b.Source.Host))
		return
	}
	if b.After < 0 {
		return
	}
	before, ok := c.scans[b.After]
	if !ok || before.Parts < b.AfterParts {
		c.fault(now, JournalChain, 0, 0, fmt.Sprintf("follows %d parts of scan %d, and the catalog has %d", b.AfterParts, b.After, before.Parts))
	} else if before.Parts == b.AfterParts && before.Digest != previous {
		c.fault(now, JournalChain, 0, 0, fmt.Sprintf("does not follow scan %d as the catalog has it: one of the two was exchanged", b.After))
	}
}

// close reports what is missing at the end of a scan.
func (c *checker) close(now *chain) {
	for ; now.next < now.scan.Parts; now.next++ {
		c.missing(now, now.next)
	}
}

func (c *checker) missing(now *chain, part int64) {
	now.settled = false
	c.fault(now, JournalMissing, part, 0, "is missing")
}

// fault is a fault of a part that the catalog has applied. The catalog has its rows, so nothing is lost as long as it lives.
func (c *checker) fault(now *chain, kind Kind, part, size int64, what string) {
	s := &now.scan
	key := repository.JournalKey(s.Number, part)
	c.found(Finding{
		Severity: Fault, Kind: kind, Key: key, Scan: s.Number, Bytes: size,
		Message: fmt.Sprintf("%s of scan %d (%s of %s) %s; this catalog has its rows, but a rebuild would lack them", key, s.Number, s.Source.Root, s.Source.Host, what),
	})
}

func (c *checker) ahead(p repository.Part, why string) {
	c.found(Finding{Severity: Note, Kind: JournalAhead, Key: repository.JournalKey(p.Scan, p.Part), Scan: p.Scan, Bytes: p.Size, Message: why})
}
