package catalogtest

import (
	"context"

	"github.com/bus3/bus3/catalog"
)

// Indexed is the methods whose cost must not depend on the size of the catalog.
type Indexed interface {
	NextScan(ctx context.Context) (int64, error)
	NewestScan(ctx context.Context, source catalog.ID) (catalog.Scan, error)
	CurrentRoot(ctx context.Context, source catalog.ID) (catalog.Entry, error)
	Current(ctx context.Context, dirs []catalog.ID, fn func(*catalog.Entry) error) error
	CurrentByInode(ctx context.Context, source catalog.ID, inodes []catalog.Inode, fn func(*catalog.Entry) error) error
	KnownChunks(ctx context.Context, hashes []catalog.Hash, ids []catalog.ID) error
	KnownValues(ctx context.Context, hashes []catalog.Hash, ids []catalog.ID) error
	Scan(ctx context.Context, number int64) (catalog.Scan, error)
	Problems(ctx context.Context, scan int64, fn func(*catalog.Problem) error) error
	Root(ctx context.Context, scan int64) (catalog.Entry, error)
	List(ctx context.Context, scan int64, dir catalog.ID, fn func(*catalog.Entry) error) error
	Lookup(ctx context.Context, scan int64, dir catalog.ID, name string) (catalog.Entry, error)
	Entry(ctx context.Context, id catalog.ID) (catalog.Entry, error)
	Directory(ctx context.Context, scan int64, ino catalog.ID) (catalog.Entry, error)
	Values(ctx context.Context, ids []catalog.ID, fn func(*catalog.Value) error) error
	ChunkPlaces(ctx context.Context, ids []catalog.ID, fn func(*catalog.Place) error) error
	PlacesFrom(ctx context.Context, from catalog.ID, limit int, fn func(*catalog.Place) error) error
	Pieces(ctx context.Context, content catalog.ID, from int64, limit int, fn func(*catalog.PlacedPiece) error) error
	ContentBytes(ctx context.Context, contents []catalog.ID, fn func(content catalog.ID, bytes int64) error) error
	EachPlace(ctx context.Context, pack catalog.ID, fn func(*catalog.Place) error) error
}

// CallIndexed calls all of them, for the statements that they make: an engine's test has those explained instead of
// run. What the methods return is of no interest then.
func CallIndexed(c Indexed) {
	ctx := context.Background()
	id := catalog.NewID(1, 1)
	ids, hashes := []catalog.ID{id}, []catalog.Hash{{1}}
	entry := func(*catalog.Entry) error { return nil }
	place := func(*catalog.Place) error { return nil }
	_, _ = c.NextScan(ctx)
	_, _ = c.NewestScan(ctx, id)
	_, _ = c.CurrentRoot(ctx, id)
	_ = c.Current(ctx, ids, entry)
	_ = c.CurrentByInode(ctx, id, []catalog.Inode{{Dev: 1, Ino: 1}}, entry)
	_ = c.KnownChunks(ctx, hashes, ids)
	_ = c.KnownValues(ctx, hashes, ids)
	_, _ = c.Scan(ctx, 1)
	_ = c.Problems(ctx, 1, func(*catalog.Problem) error { return nil })
	_, _ = c.Root(ctx, 1)
	_ = c.List(ctx, 1, id, entry)
	_, _ = c.Lookup(ctx, 1, id, "name")
	_, _ = c.Entry(ctx, id)
	_, _ = c.Directory(ctx, 1, id)
	_ = c.Values(ctx, ids, func(*catalog.Value) error { return nil })
	_ = c.ChunkPlaces(ctx, ids, place)
	_ = c.PlacesFrom(ctx, id, 1, place)
	_ = c.Pieces(ctx, id, 0, 1, func(*catalog.PlacedPiece) error { return nil })
	_ = c.ContentBytes(ctx, ids, func(catalog.ID, int64) error { return nil })
	_ = c.EachPlace(ctx, id, place)
}
