// Package rebuild brings a catalog up to what the journal in the store tells, by replay.
//
// The same code serves the recovery after a crash, a catalog restored from an old dump, a catalog that was lost
// altogether, and the upkeep of a replica. Sync applies what is in the journal and not in the catalog, in the order
// of scans and parts; each part is authenticated, held to its place in the chain of its source, and checked. Run does
// the same for an empty catalog.
//
// A journal that has lost objects is an error, unless Options.Recover is set: then everything that the rest tells is
// applied, a stand-in takes the place of each lost part, and Report.Losses says what is gone. Packs tell their own
// chunks, so a lost part never costs data that it had listed.
package rebuild

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
	"github.com/bus3/bus3/s3store/seal"
)

// Catalog is what a replay needs of an engine.
type Catalog interface {
	Repository(ctx context.Context) (catalog.RepositoryID, error)
	Claim(ctx context.Context, id catalog.RepositoryID) error
	Settle(ctx context.Context, from, to catalog.RepositoryID) error
	Apply(ctx context.Context, b *catalog.Batch) error
	Scan(ctx context.Context, number int64) (catalog.Scan, error)
	Scans(ctx context.Context, fn func(*catalog.Scan) error) error
	Problems(ctx context.Context, scan int64, fn func(*catalog.Problem) error) error
	CurrentRoot(ctx context.Context, source catalog.ID) (catalog.Entry, error)
	EachPack(ctx context.Context, fn func(p *catalog.Pack, verified int64) error) error
	// Mend ends entries of a source that a later entry of the same name overlaps, as lost closings leave them.
	Mend(ctx context.Context, source catalog.ID) (ended int64, err error)
}

// Journal is what a replay needs of a repository.
type Journal interface {
	ID() catalog.RepositoryID
	Keys() *seal.Keys
	Parts(ctx context.Context, fromScan int64, fn func(repository.Part) error) error
	GetPartAny(ctx context.Context, scan, part int64) (*catalog.Batch, catalog.Hash, error)
}

// Store is what a replay needs of a store: packs tell what lost journal objects had told of them.
type Store interface {
	List(ctx context.Context, prefix, after string, fn func(s3store.Object) error) error
	GetRange(ctx context.Context, key string, off int64, dst []byte) (int, error)
}

// Options are how to replay. The zero value is strict and silent.
type Options struct {
	// Recover goes on around lost and damaged journal objects; Report.Losses names them. In a catalog that is whole, which others
	// may use too, it goes around what is proved only: later objects tell of one that is gone, or that does not authenticate,
	// and reading it a second time changes nothing. What is authentic and cannot be applied is an error there.
	Recover bool
	// Progress, if set, is called after each part with what has been applied so far. Calls do not overlap.
	Progress func(Progress)
}

// Progress is how far a replay has come.
type Progress struct {
	Scan  int64 // being replayed
	Parts int64 // applied by this replay
	Bytes int64 // of journal objects read by this replay
	Rows  int64 // applied by this replay
}

// Report is what a replay did.
type Report struct {
	Progress
	Duration time.Duration
	// Losses are the journal objects that are gone or damaged, in the order of the journal (Options.Recover only).
	Losses []Loss
	// Ignored are parts written by runs that had lost their source to a later one.
	Ignored []string
	// Adopted is how many packs told their own chunks, because the part that had listed them is lost.
	Adopted int64
	// Unfinished are scans whose journal has no end: they run, or were interrupted, or their last objects are lost.
	Unfinished []int64
}

// Loss is a journal object that is gone or damaged.
type Loss struct {
	Key    string // of the object
	Scan   int64
	Part   int64
	Host   string // of the source, if it is known
	Root   string
	Reason string
	// StandIns are directories that the object had told; what is in them is shown under these names in the root of the scan.
	StandIns []string
}

// LossError is a journal object that is gone, damaged or out of place: nothing from it on was applied.
type LossError struct {
	Loss
	Err error
}

// Error names the object, what is wrong with it, and what it means.
func (e *LossError) Error() string {
	return fmt.Sprintf("the journal of scan %d%s is damaged: %s %s", e.Scan, of(e.Host, e.Root), e.Key, e.Reason)
}

// Unwrap is the cause, if there is one.
func (e *LossError) Unwrap() error { return e.Err }

func of(host, root string) string {
	if host == "" {
		return ""
	}
	return fmt.Sprintf(" (%s of %s)", root, host)
}

// ErrFilled: the catalog to be rebuilt has scans already.
var ErrFilled = errors.New("the catalog is not empty")

// Filling is what a catalog belongs to while it is being filled for the first time: another ID than the repository's, so that
// nobody takes a part of what was backed up for all of it. Sync goes on with such a catalog, and gives it the
// repository's own ID when it is whole.
func Filling(id catalog.RepositoryID) catalog.RepositoryID {
	for i := range id {
		id[i] ^= 0xff
	}
	return id
}

// Run fills an empty catalog from the journal, and goes on with one that was interrupted. A catalog of this repository
// that has scans, and is whole, is ErrFilled.
func Run(ctx context.Context, cat Catalog, store Store, j Journal, o Options) (*Report, error) {
	has, err := cat.Repository(ctx)
	if err == nil && has == j.ID() {
		if err = cat.Scans(ctx, func(*catalog.Scan) error { return ErrFilled }); err == nil {
			err = cat.Settle(ctx, has, Filling(has))
		}
	}
	if err != nil && !errors.Is(err, catalog.ErrEmpty) {
		return nil, err
	}
	return Sync(ctx, cat, store, j, o)
}

// Sync applies what the journal has and the catalog lacks. It belongs to the repository afterwards
// (catalog.ErrOtherRepository if it belongs to another). Errors: *LossError (without Options.Recover), those of the
// store and of the catalog. What was applied before an error stays, and is right.
func Sync(ctx context.Context, cat Catalog, store Store, j Journal, o Options) (*Report, error) {
	started := time.Now()
	state, err := take(ctx, cat, j.ID())
	if err != nil {
		return nil, err
	}
	r := &replay{
		cat: cat, store: store, journal: j, o: o, report: &Report{}, marked: map[catalog.ID]int64{}, surveyed: map[int64]*survey{},
		standing: map[catalog.ID]catalog.ID{}, whole: state == whole,
	}
	err = r.run(ctx)
	if err == nil {
		err = r.mend(ctx, state == resumed)
	}
	if err == nil && state != whole {
		err = cat.Settle(ctx, Filling(j.ID()), j.ID())
	}
	r.report.Duration = time.Since(started)
	return r.report, err
}

// state is how far a catalog had come before.
type state int

const (
	whole   state = iota // it may be behind
	fresh                // nothing is in it
	resumed              // it was being filled
)

// take makes a catalog that belongs to nobody one that is being filled.
func take(ctx context.Context, cat Catalog, id catalog.RepositoryID) (state, error) {
	claimed := whole
	for range 2 { // somebody else may finish filling it at this moment
		has, err := cat.Repository(ctx)
		switch {
		case errors.Is(err, catalog.ErrEmpty):
			if err := cat.Claim(ctx, Filling(id)); err != nil && !errors.Is(err, catalog.ErrOtherRepository) {
				return 0, err
			}
			claimed = fresh
		case err != nil:
			return 0, err
		case has == id:
			return whole, nil
		case has == Filling(id):
			if claimed == fresh {
				return fresh, nil
			}
			return resumed, nil
		default:
			return 0, catalog.ErrOtherRepository
		}
	}
	return 0, catalog.ErrOtherRepository
}
