package rebuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/repository"
)

// survey is what the journal that is left tells of a scan: whose it is, and which of its directories are presumed.
type survey struct {
	owner   catalog.Source
	started int64
	orphans []catalog.ID            // identities of directories that were new in the scan and are in no part of it, ascending
	rootIno catalog.ID              // identity of the root, if it was new in the scan and a later one tells it
	hasRoot bool                    // a part that is left opens the root
	packs   map[catalog.PackID]bool // told by the parts that are left
	stood   bool                    // stand-ins are made

	have, need map[catalog.ID]bool // directories
}

func (r *replay) survey(ctx context.Context, number int64) (*survey, error) {
	if s := r.surveyed[number]; s != nil {
		return s, nil
	}
	s := &survey{owner: r.now.source, packs: map[catalog.PackID]bool{}, have: map[catalog.ID]bool{}, need: map[catalog.ID]bool{}}
	err := each(ctx, r.journal, func(ctx context.Context, fn func(listed) error) error {
		return r.journal.Parts(ctx, number, func(p repository.Part) error { return fn(listed{Part: p}) })
	}, func(f *fetched) error {
		if f.damage == nil {
			s.read(f.batch, number)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(s.need)) {
		if !s.have[id] {
			s.orphans = append(s.orphans, id)
		}
	}
	s.have, s.need = nil, nil
	if err := r.name(ctx, s, number); err != nil {
		return nil, err
	}
	r.surveyed[number] = s
	return s, nil
}

// read takes down what a batch of the scan, or of a later one, tells about it.
func (s *survey) read(b *catalog.Batch, number int64) {
	own := b.Scan == number
	if own && b.Begin != nil {
		s.owner, s.started = b.Begin.Source, b.Begin.Started
	}
	if b.Begin != nil && b.Begin.After == number && s.owner.ID == 0 { // a scan without changes has no entry that tells
		s.owner = b.Begin.Source
	}
	if own {
		for i := range b.Packs {
			s.packs[b.Packs[i].Key] = true
		}
	}
	for i := range b.Opened {
		e := &b.Opened[i]
		if own && s.owner.ID == 0 {
			s.owner.ID = e.Source
		}
		if own && e.Kind == catalog.Directory {
			s.have[e.Ino] = true
		}
		switch {
		case e.IsRoot() && e.Ino.Scan() == number:
			s.hasRoot = s.hasRoot || own
			s.rootIno = e.Ino
			s.need[e.Ino] = true
		case !e.IsRoot() && e.Dir.Scan() == number:
			s.need[e.Dir] = true
		}
	}
}

// name finds the host and root of the scan's source among the scans that the catalog knows and those that come later; a
// source that nobody else tells of gets a name that says so.
func (r *replay) name(ctx context.Context, s *survey, number int64) error {
	if s.owner.Host != "" {
		return nil
	}
	err := r.cat.Scans(ctx, func(known *catalog.Scan) error {
		if known.Source.ID == s.owner.ID {
			s.owner = known.Source
		}
		return nil
	})
	if err == nil && s.owner.Host == "" {
		err = r.nameFromLater(ctx, s, number)
	}
	if err == nil && s.owner.Host == "" {
		if s.owner.ID == 0 {
			s.owner.ID = catalog.NewID(number, catalog.MaxCounter)
		}
		s.owner.Host, s.owner.Root = "lost", fmt.Sprintf("/lost/scan-%d", number)
	}
	return err
}

// nameFromLater looks for a later scan of the same source.
func (r *replay) nameFromLater(ctx context.Context, s *survey, number int64) error {
	err := each(ctx, r.journal, func(ctx context.Context, fn func(listed) error) error {
		return r.journal.Parts(ctx, number+1, func(p repository.Part) error {
			if p.Part != 0 {
				return nil
			}
			return fn(listed{Part: p})
		})
	}, func(f *fetched) error {
		if f.damage == nil && f.batch.Begin.Source.ID == s.owner.ID {
			s.owner = f.batch.Begin.Source
			return errDone
		}
		return nil
	})
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}
