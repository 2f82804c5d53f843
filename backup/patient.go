package backup

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/bus3/bus3/catalog"
)

// patient is a catalog that is asked again for a while if it cannot be reached: because its server is being restarted, say.
// What is read twice by that is told once, or to functions to which that makes no difference.
type patient struct{ Catalog }

// patiently does something, and again for a while if the catalog cannot be reached.
func patiently(ctx context.Context, do func() error) error {
	deadline := time.Now().Add(availability)
	for pause := 50 * time.Millisecond; ; pause = min(2*pause, 2*time.Second) {
		err := do()
		if err == nil || !errors.Is(err, catalog.ErrUnavailable) || time.Now().After(deadline) {
			return err
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Apply is as in Applier.
func (p patient) Apply(ctx context.Context, b *catalog.Batch) error {
	return patiently(ctx, func() error { return p.Catalog.Apply(ctx, b) })
}

// NextScan is as in Applier.
func (p patient) NextScan(ctx context.Context) (n int64, err error) {
	err = patiently(ctx, func() (err error) { n, err = p.Catalog.NextScan(ctx); return err })
	return n, err
}

// FindSource is as in Past.
func (p patient) FindSource(ctx context.Context, host, root string) (s catalog.Source, err error) {
	err = patiently(ctx, func() (err error) { s, err = p.Catalog.FindSource(ctx, host, root); return err })
	return s, err
}

// NewestScan is as in Past.
func (p patient) NewestScan(ctx context.Context, source catalog.ID) (s catalog.Scan, err error) {
	err = patiently(ctx, func() (err error) { s, err = p.Catalog.NewestScan(ctx, source); return err })
	return s, err
}

// Scans is as in Past, but may tell of a scan twice.
func (p patient) Scans(ctx context.Context, fn func(*catalog.Scan) error) error {
	return patiently(ctx, func() error { return p.Catalog.Scans(ctx, fn) })
}

// EachPack is as in Past, but may tell of a pack twice.
func (p patient) EachPack(ctx context.Context, fn func(pack *catalog.Pack, verified int64) error) error {
	return patiently(ctx, func() error { return p.Catalog.EachPack(ctx, fn) })
}

// CurrentRoot is as in Past.
func (p patient) CurrentRoot(ctx context.Context, source catalog.ID) (e catalog.Entry, err error) {
	err = patiently(ctx, func() (err error) { e, err = p.Catalog.CurrentRoot(ctx, source); return err })
	return e, err
}

// Current is as in Past: what was told before the catalog went away is not told again. Rows come in the order of the
// directories and, in each, of their names, so that the last one says where to go on.
func (p patient) Current(ctx context.Context, dirs []catalog.ID, fn func(*catalog.Entry) error) error {
	last, told := "", false // the last name that was told, which is in dirs[0]
	return patiently(ctx, func() error {
		return p.Catalog.Current(ctx, dirs, func(e *catalog.Entry) error {
			if told && e.Dir == dirs[0] && e.Name <= last {
				return nil
			}
			if !told || e.Dir != dirs[0] {
				if at := slices.Index(dirs, e.Dir); at > 0 {
					dirs = dirs[at:]
				}
			}
			last, told = e.Name, true
			return fn(e)
		})
	})
}

// CurrentByInode is as in Past, but may tell of an entry twice.
func (p patient) CurrentByInode(ctx context.Context, source catalog.ID, inodes []catalog.Inode, fn func(*catalog.Entry) error) error {
	return patiently(ctx, func() error { return p.Catalog.CurrentByInode(ctx, source, inodes, fn) })
}

// KnownChunks is as in Known.
func (p patient) KnownChunks(ctx context.Context, hashes []catalog.Hash, ids []catalog.ID) error {
	return patiently(ctx, func() error { return p.Catalog.KnownChunks(ctx, hashes, ids) })
}

// KnownValues is as in Known.
func (p patient) KnownValues(ctx context.Context, hashes []catalog.Hash, ids []catalog.ID) error {
	return patiently(ctx, func() error { return p.Catalog.KnownValues(ctx, hashes, ids) })
}
