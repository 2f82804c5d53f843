package rebuild

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/pack"
)

// readers is how many packs' directories are read at a time.
const readers = 8

// stray is a pack in the store that the catalog did not know when the first loss was met.
type stray struct {
	id   catalog.PackID
	scan int64 // that wrote it
	size int64
}

// adopt adds to b the packs that the scan wrote and that no part that is left tells of: they are what the lost parts
// had listed, or were never listed at all, which does no harm.
func (r *replay) adopt(ctx context.Context, s *survey, b *catalog.Batch) error {
	if err := r.findStrays(ctx); err != nil {
		return err
	}
	for _, p := range r.strays {
		if p.scan != b.Scan || s.packs[p.id] {
			continue
		}
		dir, err := r.directory(ctx, p.id, p.size)
		if err != nil {
			return err
		}
		b.Packs = append(b.Packs, dir.Pack)
		b.Segments = append(b.Segments, dir.Segments...)
		b.Chunks = append(b.Chunks, dir.Chunks...)
		s.packs[p.id] = true
		r.report.Adopted++
	}
	return nil
}

// findStrays reads, once, which scan wrote each pack that the catalog does not know. A pack that cannot be read is
// none: it is of no use to anybody, and check names it.
func (r *replay) findStrays(ctx context.Context) error {
	if r.strays != nil {
		return nil
	}
	r.strays = []stray{}
	known := map[catalog.PackID]bool{}
	err := r.cat.EachPack(ctx, func(p *catalog.Pack, _ int64) error {
		known[p.Key] = true
		return nil
	})
	if err != nil {
		return err
	}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readers)
	err = r.store.List(ctx, "packs/", "", func(o s3store.Object) error {
		id, ok := pack.ParseKey(o.Key)
		if !ok || known[id] {
			return nil
		}
		group.Go(func() error {
			dir, err := r.directory(ctx, id, o.Size)
			if isBroken(err) || err == nil && dir == nil {
				return nil
			}
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			r.strays = append(r.strays, stray{id: id, scan: dir.Pack.ID.Scan(), size: o.Size})
			return nil
		})
		return ctx.Err()
	})
	if wait := group.Wait(); wait != nil {
		return wait
	}
	return err
}

func (r *replay) directory(ctx context.Context, id catalog.PackID, size int64) (*pack.Directory, error) {
	var dir *pack.Directory
	var err error
	for range 2 { // once is no proof, as with journal objects
		dir, err = pack.ReadDirectory(r.journal.Keys(), id, size, func(off int64, dst []byte) error {
			_, err := r.store.GetRange(ctx, pack.Key(id), off, dst)
			return err
		})
		if !isBroken(err) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("read the directory of pack %s: %w", id, err)
	}
	return dir, nil
}

// mend ends the entries of lossy sources whose closing was lost: where two entries of one name overlap, the later one
// is right. After a replay that was interrupted nobody knows which sources those are.
func (r *replay) mend(ctx context.Context, all bool) error {
	if all && r.o.Recover {
		err := r.cat.Scans(ctx, func(s *catalog.Scan) error {
			r.marked[s.Source.ID] = s.Number
			return nil
		})
		if err != nil {
			return err
		}
	}
	for source := range r.marked {
		if _, err := r.cat.Mend(ctx, source); err != nil {
			return err
		}
	}
	return nil
}

func sorted(open map[catalog.ID]int64) []int64 {
	var out []int64
	for _, n := range open {
		out = append(out, n)
	}
	slices.Sort(out)
	return out
}
