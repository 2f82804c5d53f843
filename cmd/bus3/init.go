package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/cmd/internal/config"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
)

type initCmd struct {
	Passphrase         bool        `help:"Protect the repository by a passphrase that is asked for, and not by a key file."`
	Label              string      `help:"What the first key is called in the list of keys."`
	ChunkSize          config.Size `placeholder:"SIZE" help:"How large pieces of files are, about: a power of two, 8KiB to 16MiB; 512KiB if not given. It cannot be changed later."`
	FixedChunks        config.Size `placeholder:"SIZE" help:"Cut files into pieces of exactly that size instead; data that moves within a file is stored again then."`
	AllowUnconditional bool        `help:"Use a server that ignores If-None-Match. Then never back up from two hosts, or twice at once."`
}

// Run makes a repository in a store that has none, and gives an empty catalog to one that exists.
func (c *initCmd) Run(ctx context.Context, a *app) error {
	p := a.place()
	chunking, err := c.chunking()
	if err != nil {
		return err
	}
	store, err := a.openStore(ctx, &p, nil)
	if err != nil {
		return err
	}
	_, err = repository.ReadMarker(ctx, store)
	if err == nil {
		return c.attach(ctx, a, chunking)
	}
	if !errors.Is(err, repository.ErrNoRepository) {
		return err
	}
	s := &session{place: p, store: store}
	defer s.close()
	if err := s.openUnclaimed(ctx); err != nil {
		return err
	}
	wraps, key, err := a.newWraps(ctx, &p, c.Label, c.Passphrase)
	if err != nil {
		return err
	}
	var target repository.Store = store
	if c.AllowUnconditional {
		target = unprobed{store}
	}
	s.repo, err = repository.Init(ctx, target, chunking, wraps...)
	if errors.Is(err, s3store.ErrUnconditional) {
		return hint(err, "such a server cannot keep two backups from using one number; use another one, or --allow-unconditional if there will only ever be one backup at a time")
	}
	if err != nil {
		return err
	}
	if err := s.claim(ctx); err != nil {
		return err
	}
	return a.initialised(s, key)
}

// chunking is what the flags ask for.
func (c *initCmd) chunking() (repository.Chunking, error) {
	var out repository.Chunking
	switch {
	case c.ChunkSize.Given && c.FixedChunks.Given:
		return out, errors.New("--chunk-size and --fixed-chunks exclude each other; give one of them")
	case c.ChunkSize.Given:
		n := int(min(c.ChunkSize.Bytes, catalog.MaxChunk))
		out = repository.Chunking{Min: n / 2, Normal: n, Max: 4 * n} // the proportions of the default
		return out, hint(out.Check(), "--chunk-size is a power of two, 8KiB to 16MiB")
	case c.FixedChunks.Given:
		out = repository.Chunking{Fixed: int(min(c.FixedChunks.Bytes, catalog.MaxChunk+1))}
	default:
		return out, nil
	}
	return out, out.Check()
}

// unprobed is a store whose promises are not tried.
type unprobed struct{ repository.Store }

// attach gives the repository that is in the store the catalog that was named, and fills it.
func (c *initCmd) attach(ctx context.Context, a *app, chunking repository.Chunking) error {
	s, err := a.openRepository(ctx, nil)
	if err != nil {
		return hint(err, "the store has a repository already, and only its key can give it a catalog")
	}
	defer s.close()
	if chunking != (repository.Chunking{}) && chunking != s.repo.Chunking() {
		return fmt.Errorf("initialise %s: %w, and the sizes of its pieces cannot be changed", s.store, repository.ErrRepositoryExists)
	}
	if s.place.catalog == "" {
		return hint(fmt.Errorf("initialise %s: %w", s.store, repository.ErrRepositoryExists), "just use it; --catalog would give it a catalog")
	}
	if err := s.openCatalog(ctx, false); err != nil {
		return err
	}
	switch id, err := s.cat.Repository(ctx); {
	case err == nil && id == s.repo.ID():
		a.note("The repository in %s and the catalog %s are initialised already.", s.store, s.catalogName)
		return nil
	case err == nil:
		return s.foreign(id)
	case !errors.Is(err, catalog.ErrEmpty):
		return err
	}
	r, err := rebuild.Sync(ctx, s.cat, s.store, s.repo, rebuild.Options{})
	if err != nil {
		return hint(fmt.Errorf("fill the catalog %s: %w", s.catalogName, err), "`bus3 rebuild%s` goes on, around journal objects that are lost", s.place.flags())
	}
	a.note("Gave the repository in %s the catalog %s (%d rows from its journal).", s.store, s.catalogName, r.Rows)
	return nil
}

// openUnclaimed opens the catalog, if one was named, and refuses one that is taken: before anything is made.
func (s *session) openUnclaimed(ctx context.Context) error {
	if s.place.catalog == "" {
		return nil
	}
	if err := s.openCatalog(ctx, false); err != nil {
		return err
	}
	id, err := s.cat.Repository(ctx)
	switch {
	case errors.Is(err, catalog.ErrEmpty):
		return nil
	case err != nil:
		return fmt.Errorf("open the catalog %s: %w", s.catalogName, err)
	}
	return fmt.Errorf("initialise the catalog %s: %w (%s); name an empty one", s.catalogName, catalog.ErrOtherRepository, id)
}

// claim makes the catalog the repository's; a local one if none was named.
func (s *session) claim(ctx context.Context) error {
	if s.cat == nil {
		if err := s.openLocal(ctx, s.place.localCatalog(s.repo.ID())); err != nil {
			return err
		}
	}
	if err := s.cat.Claim(ctx, s.repo.ID()); err != nil {
		return fmt.Errorf("initialise the catalog %s: %w", s.catalogName, err)
	}
	return nil
}

// initialised says what was made.
func (a *app) initialised(s *session, key string) error {
	if a.JSON {
		return a.line(map[string]string{
			"message_type": "initialized", "id": s.repo.ID().String(), "repository": s.store.String(), "catalog": s.catalogName, "key": key,
		})
	}
	a.note("Made repository %s", s.repo.ID())
	a.note("  store    %s", s.store)
	a.note("  catalog  %s", s.catalogName)
	a.note("  key      %s", key)
	a.note("%s", keepTheKey)
	return nil
}

const keepTheKey = "Keep a copy of the key elsewhere too: without it nobody can read the backups, not even you. `bus3 key export` prints one."

// makeEmbedded makes the repository of those who configured nothing, and says so plainly, also with -q.
func (a *app) makeEmbedded(ctx context.Context, t *transfer) (*session, error) {
	p := a.place()
	store, err := a.openStore(ctx, &p, t)
	if err != nil {
		return nil, err
	}
	wraps, key, err := a.newWraps(ctx, &p, "", false)
	if err != nil {
		return nil, err
	}
	repo, err := repository.Init(ctx, store, repository.Chunking{}, wraps...)
	if err != nil {
		return nil, err
	}
	a.say("Nothing is configured, so bus3 made a repository for you:")
	a.say("  store    %s", store)
	a.say("  catalog  %s", p.embeddedPath)
	a.say("  key      %s", key)
	a.say("%s", keepTheKey)
	a.say("A store on the same disk is no backup: whoever takes the disk, or whatever breaks it, takes both. `bus3 init --store …` makes one elsewhere.")
	return &session{place: p, store: store, repo: repo}, nil
}
