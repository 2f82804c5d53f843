package backup

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/failpoint"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/s3store/seal"
)

// adopt takes over packs that interrupted runs of this source have stored and whose rows they could not write any more: with
// their rows, nothing that is in the store is stored again.
func (r *run) adopt(ctx context.Context) error {
	dead, err := r.interrupted(ctx)
	if err != nil {
		return err
	}
	known := make(map[catalog.PackID]struct{})
	err = r.cat.EachPack(ctx, func(p *catalog.Pack, _ int64) error {
		known[p.Key] = struct{}{}
		return nil
	})
	if err != nil {
		return fmt.Errorf("ask the catalog for its packs: %w", err)
	}
	var orphans []s3store.Object
	err = r.store.List(ctx, pack.Prefix, "", func(o s3store.Object) error {
		key, ok := pack.ParseKey(o.Key)
		if _, have := known[key]; ok && !have {
			orphans = append(orphans, o)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("look for packs of interrupted backups: %w", err)
	}
	return r.adoptPacks(ctx, orphans, dead)
}

// interrupted is the scans of this source that nobody will go on with: those since the last that was finished.
func (r *run) interrupted(ctx context.Context) (map[int64]bool, error) {
	dead, finished := make(map[int64]bool), int64(-1)
	err := r.cat.Scans(ctx, func(s *catalog.Scan) error {
		switch {
		case s.Source.ID != r.source.ID || s.Number >= r.scan:
		case s.State.Finished():
			finished = max(finished, s.Number)
		default:
			dead[s.Number] = true
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ask the catalog for scans: %w", err)
	}
	maps.DeleteFunc(dead, func(scan int64, _ bool) bool { return scan < finished })
	return dead, nil
}

func (r *run) adoptPacks(ctx context.Context, orphans []s3store.Object, dead map[int64]bool) error {
	b := &catalog.Batch{}
	for _, o := range orphans {
		key, _ := pack.ParseKey(o.Key)
		dir, err := pack.ReadDirectory(r.repo.Keys(), key, o.Size, func(off int64, dst []byte) error {
			_, err := r.store.GetRange(ctx, o.Key, off, dst)
			return err
		})
		if errors.Is(err, seal.ErrDamaged) || errors.Is(err, s3store.ErrNotExist) {
			continue // not ours to judge: it is garbage to everybody
		}
		if err != nil {
			return fmt.Errorf("look into pack %s: %w", key, err)
		}
		if !dead[dir.Pack.ID.Scan()] {
			continue // of a run under way
		}
		r.adoptPack(b, dir)
		if b.Rows() >= r.sizes.batchRows {
			if err := r.writeAdopted(ctx, b); err != nil {
				return err
			}
			b = &catalog.Batch{}
		}
	}
	if b.Rows() == 0 {
		return nil
	}
	return r.writeAdopted(ctx, b)
}

// adoptPack gives what a pack tells of itself IDs of this scan.
func (r *run) adoptPack(b *catalog.Batch, dir *pack.Directory) {
	dir.Pack.ID = r.id()
	b.Packs = append(b.Packs, dir.Pack)
	ids := make(map[catalog.ID]catalog.ID, len(dir.Segments))
	for _, s := range dir.Segments {
		ids[s.ID] = r.id()
		s.ID, s.Pack = ids[s.ID], dir.Pack.ID
		b.Segments = append(b.Segments, s)
	}
	for _, c := range dir.Chunks {
		c.ID, c.Segment = r.id(), ids[c.Segment]
		b.Chunks = append(b.Chunks, c)
	}
}

func (r *run) writeAdopted(ctx context.Context, b *catalog.Batch) error {
	r.empty = false
	failpoint.Hit("backup.before-adopted")
	if err := r.putPart(ctx, b); err != nil {
		return err
	}
	if err := r.applyOne(ctx, b); err != nil {
		return err
	}
	failpoint.Hit("backup.after-adopted")
	return nil
}
