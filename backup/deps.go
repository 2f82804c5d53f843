package backup

import (
	"context"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
	"github.com/bus3/bus3/s3store/seal"
)

// Catalog is what a run needs of a catalog; see package catalogtest for the contracts of the methods.
type Catalog interface {
	Applier
	Past
	Known
}

// Applier takes scans in.
type Applier interface {
	LockSource(ctx context.Context, host, root string) (catalog.Lock, error)
	NextScan(ctx context.Context) (int64, error)
	Apply(ctx context.Context, b *catalog.Batch) error
}

// Past is what the catalog has of the source: the tree as the last scan left it.
type Past interface {
	FindSource(ctx context.Context, host, root string) (catalog.Source, error)
	NewestScan(ctx context.Context, source catalog.ID) (catalog.Scan, error)
	Scans(ctx context.Context, fn func(*catalog.Scan) error) error
	EachPack(ctx context.Context, fn func(p *catalog.Pack, verified int64) error) error
	CurrentRoot(ctx context.Context, source catalog.ID) (catalog.Entry, error)
	Current(ctx context.Context, dirs []catalog.ID, fn func(*catalog.Entry) error) error
	CurrentByInode(ctx context.Context, source catalog.ID, inodes []catalog.Inode, fn func(*catalog.Entry) error) error
}

// Known is what the catalog has of all sources.
type Known interface {
	KnownChunks(ctx context.Context, hashes []catalog.Hash, ids []catalog.ID) error
	KnownValues(ctx context.Context, hashes []catalog.Hash, ids []catalog.ID) error
}

// Store is what a run needs of the store, beside the journal.
type Store interface {
	Put(ctx context.Context, key string, body []byte) error
	GetRange(ctx context.Context, key string, off int64, dst []byte) (int, error)
	List(ctx context.Context, prefix, after string, fn func(s3store.Object) error) error
}

// Repository is where a run puts what it makes.
type Repository interface {
	Keys() *seal.Keys
	Chunking() repository.Chunking
	PutPart(ctx context.Context, b *catalog.Batch, previous catalog.Hash) (size int64, err error)
}
