// Package catalogtest is the conformance suite of the catalog's engines: what each of them must do, run on the real thing.
package catalogtest

import (
	"context"

	"github.com/bus3/bus3/catalog"
)

// Catalog is all that an engine offers. Consumers declare the few methods that they need.
type Catalog interface {
	Close() error

	Repository(ctx context.Context) (catalog.RepositoryID, error)
	Claim(ctx context.Context, id catalog.RepositoryID) error
	Reset(ctx context.Context) error

	LockSource(ctx context.Context, host, root string) (catalog.Lock, error)
	Apply(ctx context.Context, b *catalog.Batch) error

	NextScan(ctx context.Context) (int64, error)
	FindSource(ctx context.Context, host, root string) (catalog.Source, error)
	NewestScan(ctx context.Context, source catalog.ID) (catalog.Scan, error)
	CurrentRoot(ctx context.Context, source catalog.ID) (catalog.Entry, error)
	Current(ctx context.Context, dirs []catalog.ID, fn func(*catalog.Entry) error) error
	CurrentByInode(ctx context.Context, source catalog.ID, inodes []catalog.Inode, fn func(*catalog.Entry) error) error
	KnownChunks(ctx context.Context, hashes []catalog.Hash, ids []catalog.ID) error
	KnownValues(ctx context.Context, hashes []catalog.Hash, ids []catalog.ID) error

	Scans(ctx context.Context, fn func(*catalog.Scan) error) error
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

	EachPack(ctx context.Context, fn func(p *catalog.Pack, verified int64) error) error
	EachPlace(ctx context.Context, pack catalog.ID, fn func(*catalog.Place) error) error
	Users(ctx context.Context, chunks []catalog.ID, fn func(*catalog.Entry) error) error
	Dangling(ctx context.Context, fn func(catalog.Dangling) error) error
	MarkVerified(ctx context.Context, packs []catalog.ID, at int64) error

	Mend(ctx context.Context, source catalog.ID) (ended int64, err error)
	Settle(ctx context.Context, from, to catalog.RepositoryID) error
}
