package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/bus3/bus3/backup"
	"github.com/bus3/bus3/backup/check"
	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/cache"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/postgres"
	"github.com/bus3/bus3/catalog/sqlite"
	mount "github.com/bus3/bus3/fs"
	"github.com/bus3/bus3/fs/restore"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
)

// engine is all that commands ask of a catalog, whichever it is.
type engine interface {
	backup.Catalog
	rebuild.Catalog
	check.Catalog
	cache.Catalog
	mount.Catalog
	restore.Catalog
	Problems(ctx context.Context, scan int64, fn func(*catalog.Problem) error) error
	Reset(ctx context.Context) error
	Close() error
}

// session is an open repository: the parts, wired together.
type session struct {
	place       place
	store       s3store.Store
	repo        *repository.Repository
	cat         engine
	catalogName string   // for messages
	replica     bool     // the catalog is this machine's own copy: readers keep it up to date
	use         *os.File // locked while a local catalog is in use
	losses      int      // journal objects that turned out to be lost when the catalog was brought up to date
}

func (s *session) close() {
	if s.cat != nil {
		_ = s.cat.Close() // nothing is buffered: all that was written is committed
		s.cat = nil
	}
	if s.use != nil {
		_ = s.use.Close()
		s.use = nil
	}
}

// openStore opens the store, without a request.
func (a *app) openStore(ctx context.Context, p *place, t *transfer) (s3store.Store, error) {
	var o s3store.Options
	if t != nil {
		up, down := t.LimitUpload, t.LimitDownload
		if up == 0 {
			up = a.file.LimitUpload
		}
		if down == 0 {
			down = a.file.LimitDownload
		}
		const most = 1 << 50 // so that the product below is an int64
		if up < 0 || down < 0 || up > most || down > most {
			return nil, errors.New("--limit-upload and --limit-download are KiB per second: give a number, or 0 for no limit")
		}
		o.UploadLimit, o.DownloadLimit = up<<10, down<<10
	}
	return s3store.Open(ctx, p.store, o)
}

// openReader opens the repository to read from it. Without a catalog of its own a reader works with a replica, brought up to date
// from the journal. It writes nothing to the store.
func (a *app) openReader(ctx context.Context) (*session, error) { return a.openReaderWith(ctx, nil) }

func (a *app) openReaderWith(ctx context.Context, t *transfer) (*session, error) {
	s, err := a.openRepository(ctx, t)
	if err != nil {
		return nil, err
	}
	if s.place.catalog != "" {
		err = s.openNamed(ctx, true)
	} else {
		err = a.openReplica(ctx, s)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// openWriter opens the repository to write to it, and makes the embedded one if nothing is configured.
func (a *app) openWriter(ctx context.Context, t *transfer) (*session, error) {
	s, err := a.openRepository(ctx, t)
	if errors.Is(err, repository.ErrNoRepository) && !a.place().storeNamed {
		if p := a.place(); p.catalog != "" {
			return nil, fmt.Errorf("%w: a catalog is named and no store; name it with --store, and run `bus3 init` with both", errUninitialised)
		}
		s, err = a.makeEmbedded(ctx, t)
	}
	if err != nil {
		return nil, err
	}
	if s.place.catalog != "" {
		err = s.openNamed(ctx, false)
	} else if err = s.openLocal(ctx, s.place.localCatalog(s.repo.ID())); err == nil {
		err = a.adopt(ctx, s)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// adopt makes a local catalog that belongs to nobody yet the repository's, and fills it; or goes on filling it.
func (a *app) adopt(ctx context.Context, s *session) error {
	id, err := s.cat.Repository(ctx)
	if errors.Is(err, catalog.ErrEmpty) || err == nil && id != s.repo.ID() {
		return a.syncLocal(ctx, s)
	}
	return err
}

// openNamed opens the catalog that the user named. It must belong to the repository already: `bus3 init` sees to that.
func (s *session) openNamed(ctx context.Context, readOnly bool) error {
	if err := s.openCatalog(ctx, readOnly); err != nil {
		return err
	}
	id, err := s.cat.Repository(ctx)
	switch {
	case errors.Is(err, catalog.ErrEmpty):
		return fmt.Errorf("open the catalog %s: %w; run `bus3 init%s` once", s.catalogName, errUninitialised, s.place.flags())
	case err != nil:
		return fmt.Errorf("open the catalog %s: %w", s.catalogName, err)
	case id != s.repo.ID():
		return s.foreign(id)
	}
	return nil
}

// foreign is the error for a catalog of another repository.
func (s *session) foreign(id catalog.RepositoryID) error {
	if id == rebuild.Filling(s.repo.ID()) {
		return fmt.Errorf("open the catalog %s: it is being filled, or that was interrupted; `bus3 rebuild%s` goes on with it", s.catalogName, s.place.flags())
	}
	return fmt.Errorf("open the catalog %s: %w: it is that of %s, and the store %s has %s; name the store and the catalog that belong together",
		s.catalogName, catalog.ErrOtherRepository, id, s.store, s.repo.ID())
}

// openCatalog opens the catalog that the user named, whoever it belongs to.
func (s *session) openCatalog(ctx context.Context, readOnly bool) (err error) {
	raw := s.place.catalog
	s.catalogName = redacted(raw)
	scheme, _, _ := strings.Cut(raw, "://")
	switch scheme {
	case "postgres", "postgresql":
		cat, err := postgres.Open(ctx, raw, postgres.Options{ReadOnly: readOnly})
		if err != nil {
			return err
		}
		s.cat = cat
		return nil
	case "sqlite":
		path, err := sqlitePath(raw)
		if err != nil {
			return err
		}
		if _, err := os.Stat(path); readOnly && errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("open the catalog %s: %w; run `bus3 init%s` once", s.catalogName, errUninitialised, s.place.flags())
		}
		return s.openSQLite(ctx, path, readOnly)
	}
	return fmt.Errorf("open the catalog %s: a catalog is postgres://… or sqlite:///path", s.catalogName)
}

// openLocal opens a catalog of this machine, and makes it if it is not there. One that belongs to another repository is
// an error.
func (s *session) openLocal(ctx context.Context, path string) error {
	s.catalogName = path
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the directory of the catalog: %w", err)
	}
	if s.use == nil {
		var err error
		if s.use, err = flock(ctx, path+useLock, syscall.LOCK_SH); err != nil {
			return err
		}
	}
	if err := s.openSQLite(ctx, path, false); err != nil {
		return err
	}
	id, err := s.cat.Repository(ctx)
	switch {
	case errors.Is(err, catalog.ErrEmpty):
		return nil
	case err != nil:
		return fmt.Errorf("open the catalog %s: %w", path, err)
	case id != s.repo.ID() && id != rebuild.Filling(s.repo.ID()):
		return s.foreign(id)
	}
	return nil
}

func (s *session) openSQLite(ctx context.Context, path string, readOnly bool) error {
	cat, err := sqlite.Open(ctx, path, sqlite.Options{ReadOnly: readOnly})
	if err != nil {
		return err
	}
	s.cat = cat
	return nil
}

// reader opens the way to the data.
func (a *app) reader(s *session, c *caching) (*cache.Reader, error) {
	memory, disk := c.CacheSize.Or(a.file.CacheSize), c.DiskCache.Or(a.file.DiskCache)
	o := cache.Options{MemoryBytes: memory.Bytes, Dir: filepath.Join(s.place.cache, s.repo.ID().String()), DiskBytes: disk.Bytes}
	if _, local := s.store.(*s3store.Dir); local && !disk.Given || disk.Given && disk.Bytes == 0 {
		o.Dir = "" // a store in a directory is as near as a cache in one
	}
	limitMemory(max(memory.Bytes, cache.DefaultMemory))
	return cache.New(s.cat, s.store, s.repo.Keys(), o)
}
