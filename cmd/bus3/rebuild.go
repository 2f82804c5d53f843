package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/bus3/bus3/backup/rebuild"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/cmd/internal/show"
	"github.com/bus3/bus3/s3store/repository"
)

type rebuildCmd struct {
	transfer
	Replace bool `help:"Empty the catalog first if there is something in it, or put it aside if it is a damaged SQLite file."`
}

// Run fills a catalog from the journal in the store. Nothing is touched before the repository has opened with the key
// and its journal has been listed.
func (c *rebuildCmd) Run(ctx context.Context, a *app) error {
	s, err := a.openRepository(ctx, &c.transfer)
	if err != nil {
		return err
	}
	defer s.close()
	v := &rebuildView{a: a}
	err = s.repo.Parts(ctx, 0, func(p repository.Part) error {
		v.objects++
		v.bytes += p.Size
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the journal in %s: %w", s.store, err)
	}
	if v.objects == 0 && c.Replace {
		return fmt.Errorf("rebuild from %s: there is no journal in it, so nothing was changed", s.store)
	}
	sync, err := c.open(ctx, a, s)
	if err != nil {
		return err
	}
	defer func() { _ = sync.Close() }()
	if err := c.empty(ctx, s); err != nil {
		return err
	}
	v.start()
	r, err := rebuild.Run(ctx, s.cat, s.store, s.repo, rebuild.Options{Recover: true, Progress: v.progress})
	v.stop()
	if errors.Is(err, rebuild.ErrFilled) {
		return fmt.Errorf("rebuild %s: %w, and belongs to this repository: backups keep it up to date by themselves; --replace empties it first", s.catalogName, err)
	}
	if err != nil {
		return fmt.Errorf("rebuild %s: %w", s.catalogName, err)
	}
	return v.summary(ctx, s, r)
}

// open opens the catalog that is to be filled: the one that was named, or that of a writer on this machine. A local one is
// locked as long as the file that it returns is open; else that is nil.
func (c *rebuildCmd) open(ctx context.Context, a *app, s *session) (sync *os.File, err error) {
	if strings.HasPrefix(s.place.catalog, "postgres") {
		return nil, s.openCatalog(ctx, false)
	}
	path := s.place.localCatalog(s.repo.ID())
	if s.place.catalog != "" {
		if path, err = sqlitePath(s.place.catalog); err != nil {
			return nil, err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the catalog: %w", err)
	}
	if sync, err = flock(ctx, path+syncLock, syscall.LOCK_EX); err != nil {
		return nil, err
	}
	err = s.openLocal(ctx, path)
	if err != nil && c.Replace && errors.Is(err, catalog.ErrInvalid) {
		err = a.putAside(ctx, s, path, err)
	}
	if err != nil {
		return nil, errors.Join(err, sync.Close())
	}
	return sync, nil
}

// putAside makes place for a new catalog where a damaged one is.
func (a *app) putAside(ctx context.Context, s *session, path string, why error) error {
	if s.cat != nil {
		_ = s.cat.Close()
		s.cat = nil
	}
	if !alone(s.use) {
		return hint(why, "end the bus3 processes that use it")
	}
	const aside = ".damaged"
	for _, suffix := range catalogFiles() {
		if err := os.Rename(path+suffix, path+aside+suffix); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("put the damaged catalog aside: %w", err)
		}
	}
	a.note("The catalog %s is damaged; it was put aside as %s.", path, path+aside)
	if err := s.openLocal(ctx, path); err != nil {
		return err
	}
	return syscall.Flock(int(s.use.Fd()), syscall.LOCK_SH)
}

// empty sees to it that nothing of another repository is lost, and empties the catalog if the user said so.
func (c *rebuildCmd) empty(ctx context.Context, s *session) error {
	switch id, err := s.cat.Repository(ctx); {
	case errors.Is(err, catalog.ErrEmpty):
		return nil
	case err != nil:
		return fmt.Errorf("rebuild %s: %w", s.catalogName, err)
	case id != s.repo.ID() && id != rebuild.Filling(s.repo.ID()):
		return s.foreign(id)
	}
	if !c.Replace {
		return nil
	}
	if err := s.cat.Reset(ctx); err != nil {
		return fmt.Errorf("empty the catalog %s: %w", s.catalogName, err)
	}
	return nil
}

// rebuildView shows a rebuild.
type rebuildView struct {
	a              *app
	objects, bytes int64 // of the journal
	parts, read    atomic.Int64
	drawn          *show.Progress
}

func (v *rebuildView) start() {
	if v.a.interactive && !v.a.Quiet && !v.a.JSON {
		v.drawn = show.Start(v.a.err, "Rebuilding from", func() show.Now {
			return show.Now{
				Files: v.parts.Load(), TotalFiles: v.objects, Bytes: v.read.Load(), TotalBytes: v.bytes, One: "journal object", Many: "journal objects",
			}
		})
	}
}

func (v *rebuildView) progress(p rebuild.Progress) {
	v.parts.Store(p.Parts)
	v.read.Store(p.Bytes)
}

func (v *rebuildView) stop() {
	if v.drawn != nil {
		v.drawn.Stop()
		v.drawn = nil
	}
}

// lossJSON is how --json shows a loss.
type lossJSON struct {
	Key      string   `json:"key"`
	Scan     int64    `json:"scan"`
	Part     int64    `json:"part"`
	Host     string   `json:"hostname,omitempty"`
	Root     string   `json:"root,omitempty"`
	RootRaw  []byte   `json:"root_bytes,omitempty"` // base64; only where root is not UTF-8
	Reason   string   `json:"reason"`
	StandIns []string `json:"stand_ins,omitempty"`
}

type rebuildMessage struct {
	Type       string     `json:"message_type"`
	Catalog    string     `json:"catalog"`
	Scans      int64      `json:"scans"`
	Parts      int64      `json:"journal_objects"`
	Rows       int64      `json:"rows"`
	Bytes      int64      `json:"bytes_read"`
	Adopted    int64      `json:"packs_recovered"`
	Losses     []lossJSON `json:"losses"`
	Ignored    []string   `json:"ignored,omitempty"`
	Unfinished []int64    `json:"unfinished,omitempty"`
	Duration   float64    `json:"total_duration"`
}

// summary tells what was done and what is lost; errPartial if something is.
func (v *rebuildView) summary(ctx context.Context, s *session, r *rebuild.Report) error {
	scans := int64(0)
	if err := s.cat.Scans(ctx, func(*catalog.Scan) error { scans++; return nil }); err != nil {
		return err
	}
	if v.a.JSON {
		m := rebuildMessage{
			Type: "summary", Catalog: s.catalogName, Scans: scans, Parts: r.Parts, Rows: r.Rows, Bytes: r.Bytes, Adopted: r.Adopted,
			Losses: []lossJSON{}, Ignored: r.Ignored, Unfinished: r.Unfinished, Duration: r.Duration.Seconds(),
		}
		for i := range r.Losses {
			l := &r.Losses[i]
			m.Losses = append(m.Losses, lossJSON{l.Key, l.Scan, l.Part, l.Host, l.Root, raw(l.Root), l.Reason, l.StandIns})
		}
		if err := v.a.line(m); err != nil {
			return err
		}
	} else if err := v.text(s, r, scans); err != nil {
		return err
	}
	if len(r.Losses) > 0 {
		return errPartial
	}
	return nil
}

func (v *rebuildView) text(s *session, r *rebuild.Report, scans int64) error {
	for i := range r.Losses {
		v.a.say("%s", lossLine(&r.Losses[i]))
	}
	if len(r.Losses) > 0 {
		recovered := ""
		if r.Adopted > 0 {
			recovered = fmt.Sprintf("; %s told what it had listed of them", show.Plural(r.Adopted, "pack", "packs"))
		}
		v.a.say("%s lost. What the rest tells was recovered%s. The scans concerned are partial: names may be missing in them, or be older than they should.",
			show.Plural(int64(len(r.Losses)), "journal object is", "journal objects are"), recovered)
	}
	if v.a.Quiet {
		return nil
	}
	_, err := fmt.Fprintf(v.a.out, "Rebuilt the catalog %s: %s, %s from %s (%s); %s\n", s.catalogName, show.Plural(scans, "scan", "scans"),
		show.Plural(r.Rows, "row", "rows"), show.Plural(r.Parts, "journal object", "journal objects"), show.Size(r.Bytes), show.Duration(r.Duration))
	if err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}
