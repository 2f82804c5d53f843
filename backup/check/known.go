package check

import (
	"context"
	"fmt"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/repository"
)

// knownLosses reads which journal objects the catalog was filled without. Whoever did that was told; so a check tells of
// them, and does not fail for them. Complete scans have no problems.
func (c *checker) knownLosses(ctx context.Context) error {
	for n, s := range c.scans {
		if s.Program == catalog.ProgramLost {
			c.lost[repository.JournalKey(n, 0)] = true
		}
		if s.State == catalog.Complete {
			continue
		}
		err := c.cat.Problems(ctx, n, func(p *catalog.Problem) error {
			if scan, _, ok := repository.ParseJournalKey(p.LostKey()); ok && scan == n {
				c.lost[p.LostKey()] = true
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read the problems of scan %d: %w", n, err)
		}
	}
	return nil
}

// known reports a loss that the catalog was filled around.
func (c *checker) known(key string, scan int64, what string) {
	c.report.KnownLosses++
	c.found(Finding{
		Severity: Note, Kind: KnownLoss, Key: key, Scan: scan,
		Message: what + "; that is known: the catalog was filled without it, and what it told is not in the catalog",
	})
}

// isBack reports an object that the catalog was filled without, and that can be read now.
func (c *checker) isBack(s *catalog.Scan, f *fetched) {
	key := repository.JournalKey(s.Number, f.Part.Part)
	c.found(Finding{
		Severity: Fault, Kind: JournalBack, Key: key, Scan: s.Number, Bytes: f.Size,
		Message: fmt.Sprintf("%s of scan %d (%s of %s) can be read, and the catalog was filled without it: `bus3 rebuild --replace` takes in what it tells",
			key, s.Number, s.Source.Root, s.Source.Host),
	})
}
