package rebuild

import (
	"context"
	"errors"
	"io"

	"github.com/bus3/bus3/backup/internal/ahead"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
	"github.com/bus3/bus3/s3store/seal"
)

// fetches is how many journal objects are fetched and decoded while one is being applied: enough that neither the
// store's latency nor decoding is waited for, few enough that their batches (some megabytes each) stay small.
const fetches = 4

// fetched is a journal object and what came of it: a batch, or the damage that keeps it from being one.
type fetched struct {
	listed
	batch    *catalog.Batch
	previous catalog.Hash
	damage   error
}

// listed is a journal object that is in the listing, or ought to be.
type listed struct {
	repository.Part
	fault       string // why it is not fetched; "" if it is
	scanMissing bool   // nothing of the scan is listed
}

// each calls fn for all the listed parts that list produces, in that order, with their batches fetched ahead.
func each(ctx context.Context, j Journal, list func(ctx context.Context, fn func(listed) error) error, fn func(*fetched) error) error {
	return ahead.Each(ctx, fetches, list, func(ctx context.Context, p listed) *fetched { return fetch(ctx, j, p) },
		func(_ context.Context, f *fetched) error {
			if f.damage != nil && !isDamage(f.damage) {
				return f.damage
			}
			return fn(f)
		})
}

func fetch(ctx context.Context, j Journal, p listed) *fetched {
	f := &fetched{listed: p}
	if p.fault != "" {
		return f
	}
	for range 2 { // once is no proof: whatever is between here and the store may have made a mistake
		f.batch, f.previous, f.damage = j.GetPartAny(ctx, p.Scan, p.Part.Part)
		if !isDamage(f.damage) {
			break
		}
	}
	return f
}

// isDamage tells a journal object that is gone or damaged from a store that does not answer, and from a connection that broke.
func isDamage(err error) bool {
	var damage *repository.DamageError
	return errors.As(err, &damage)
}

// isMisfit tells an object that is authentic and nevertheless cannot be used from one that is gone or damaged.
func isMisfit(err error) bool {
	return errors.Is(err, catalog.ErrInvalid) || errors.Is(err, seal.ErrDamaged)
}

// isBroken tells a pack that is gone or damaged from a store that does not answer.
func isBroken(err error) bool {
	return errors.Is(err, s3store.ErrNotExist) || errors.Is(err, catalog.ErrInvalid) || errors.Is(err, seal.ErrDamaged) ||
		errors.Is(err, io.ErrUnexpectedEOF)
}
