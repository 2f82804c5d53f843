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
	fault string // why it is not fetched; "" if it is
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
	f.batch, f.previous, f.damage = j.GetPartAny(ctx, p.Scan, p.Part.Part)
	return f
}

// isDamage tells an object that is gone or damaged from a store that does not answer.
func isDamage(err error) bool {
	var damage *repository.DamageError
	return errors.As(err, &damage) || errors.Is(err, s3store.ErrNotExist) || errors.Is(err, catalog.ErrInvalid) ||
		errors.Is(err, seal.ErrDamaged) || errors.Is(err, io.ErrUnexpectedEOF)
}
