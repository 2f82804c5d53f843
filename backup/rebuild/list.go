package rebuild

import (
	"context"
	"errors"
	"fmt"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/repository"
)

// maxGap is how many numbers in a row may be missing among the scans: what comes after more was not put there by bus3, whose
// numbers are dense.
const maxGap = 1000

// listOpen lists the parts of those scans that the catalog lacks.
func (r *replay) listOpen(ctx context.Context, scans []int64, fn func(listed) error) error {
	for _, n := range scans {
		known, err := r.cat.Scan(ctx, n)
		if err != nil {
			return err
		}
		if _, err := r.listOne(ctx, n, known.Parts, fn); err != nil {
			return err
		}
	}
	return nil
}

// listOne lists the parts of one scan, from one on, and tells whether the scan has any at all.
func (r *replay) listOne(ctx context.Context, scan, from int64, fn func(listed) error) (found bool, err error) {
	err = r.journal.Parts(ctx, scan, func(p repository.Part) error {
		if p.Scan != scan {
			return errDone
		}
		found = true
		if p.Part < from {
			return nil
		}
		return fn(listed{Part: p})
	})
	if errors.Is(err, errDone) {
		err = nil
	}
	return found, err
}

// listNew lists the parts of all scans from one on. Numbers are dense: one that was not listed is looked for again, because a
// listing that takes its time may miss what is stored meanwhile, and else it is lost.
func (r *replay) listNew(ctx context.Context, next int64, fn func(listed) error) error {
	return r.journal.Parts(ctx, next, func(p repository.Part) error {
		if p.Scan-next > maxGap {
			return fn(listed{Part: p, fault: fmt.Sprintf("is out of all order: scan %d has not begun yet", next)})
		}
		for ; next < p.Scan; next++ {
			found, err := r.listOne(ctx, next, 0, fn)
			if err == nil && !found {
				err = fn(listed{Part: repository.Part{Scan: next}, scanMissing: true, fault: fmt.Sprintf("is missing, and with it all of scan %d", next)})
			}
			if err != nil {
				return err
			}
		}
		next = max(next, min(p.Scan, catalog.MaxScan)+1)
		return fn(listed{Part: p})
	})
}
