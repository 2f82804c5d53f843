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
	"time"

	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/schema"
	"github.com/bus3/bus3/cmd/internal/show"
)

// The files beside a local catalog that processes lock: useLock, shared, as long as they use it, so that nobody
// replaces it under them; syncLock, alone, while they open it and bring it up to date, so that this is done once.
// Who takes both takes syncLock first.
const (
	useLock  = ".in-use"
	syncLock = ".sync"
)

// flock locks a file, which it makes if need be, and waits as long as others hold it. Closing gives it back.
func flock(ctx context.Context, path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock the catalog: %w", err)
	}
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if err == nil {
			return f, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(context.Cause(ctx), f.Close())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// alone makes the caller the only user of a local catalog that it has locked by useLock, or tells that it is not.
func alone(use *os.File) bool {
	return syscall.Flock(int(use.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// openReplica opens the catalog that a writer on this machine keeps, if there is one, else a replica of the reader's own,
// and applies what it lacks.
func (a *app) openReplica(ctx context.Context, s *session) error {
	s.replica = true
	path := s.place.localCatalog(s.repo.ID())
	own := false
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) && s.place.storeNamed {
		var err error
		if path, err = s.place.replica(s.repo.ID()); err != nil {
			return err
		}
		own = true
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the directory of the catalog: %w", err)
	}
	sync, err := flock(ctx, path+syncLock, syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer func() { _ = sync.Close() }()
	err = s.openLocal(ctx, path)
	if err == nil {
		err = a.sync(ctx, s)
	}
	if own && useless(err) {
		return a.remake(ctx, s, path, err)
	}
	return err
}

// replica is the file of a reader's own catalog. Its name has the version of its schema, so that one of another version is not touched.
func (p *place) replica(id catalog.RepositoryID) (string, error) {
	migrations, err := schema.SQLite()
	if err != nil {
		return "", err
	}
	return filepath.Join(p.replicas, fmt.Sprintf("%s.v%d.db", id, len(migrations))), nil
}

// useless tells whether a replica cannot be what it should be: it is damaged, or not what the journal tells.
func useless(err error) bool {
	for _, target := range []error{catalog.ErrInvalid, catalog.ErrDiverged, catalog.ErrOtherRepository, catalog.ErrNewer, catalog.ErrBehind} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// remake makes a replica anew. Nothing is lost by that: all of it is in the store.
func (a *app) remake(ctx context.Context, s *session, path string, why error) error {
	if s.cat != nil {
		_ = s.cat.Close()
		s.cat = nil
	}
	if !alone(s.use) {
		return hint(why, "end the bus3 processes that use it (a mount?), and it will be made anew")
	}
	a.warn(fmt.Sprintf("the replica of the catalog was of no use and is made anew: %v", why))
	if err := removeCatalog(path); err != nil {
		return err
	}
	if err := s.openLocal(ctx, path); err != nil {
		return err
	}
	if err := a.sync(ctx, s); err != nil {
		return err
	}
	return syscall.Flock(int(s.use.Fd()), syscall.LOCK_SH)
}

// catalogFiles are the suffixes of the files of a SQLite database.
func catalogFiles() []string { return []string{"-wal", "-shm", "-journal", ""} }

// removeCatalog removes a SQLite catalog that nobody uses.
func removeCatalog(path string) error {
	for _, suffix := range catalogFiles() {
		if err := os.Remove(path + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove the catalog: %w", err)
		}
	}
	return nil
}

// syncLocal is sync for a local catalog that other processes may be bringing up to date too.
func (a *app) syncLocal(ctx context.Context, s *session) error {
	sync, err := flock(ctx, s.catalogName+syncLock, syscall.LOCK_EX)
	if err != nil {
		return err
	}
	defer func() { _ = sync.Close() }()
	return a.sync(ctx, s)
}

// sync applies what the journal has and the catalog lacks. It goes on around journal objects that are lost, and warns. In a
// catalog that is whole nothing but a proved loss is gone around: what else there may be is the user's to decide.
func (a *app) sync(ctx context.Context, s *session) error {
	r, err := rebuild.Sync(ctx, s.cat, s.store, s.repo, rebuild.Options{Recover: true})
	if r != nil {
		s.losses += len(r.Losses)
		for i := range r.Losses {
			a.warn(lossLine(&r.Losses[i]))
		}
	}
	var loss *rebuild.LossError
	if errors.As(err, &loss) {
		err = hint(err, "nothing of it was applied; put the object back if you can, else `bus3 rebuild --replace%s` makes the catalog anew from the store, around what cannot be used",
			s.place.flags())
	}
	if err != nil {
		return fmt.Errorf("bring the catalog %s up to date: %w", s.catalogName, err)
	}
	return nil
}

// lossLine says what a loss is.
func lossLine(l *rebuild.Loss) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s", l.Key, l.Reason)
	if l.Host != "" {
		fmt.Fprintf(&b, " (scan %d, %s of %s)", l.Scan, show.Name(l.Root), show.Name(l.Host))
	}
	if len(l.StandIns) > 0 {
		names := make([]string, len(l.StandIns))
		for i, n := range l.StandIns {
			names[i] = show.Name(n)
		}
		fmt.Fprintf(&b, "; directories that it told are shown in the root of the scan as %s", strings.Join(names, ", "))
	}
	return b.String()
}
