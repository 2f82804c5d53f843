package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/cmd/internal/config"
	"github.com/bus3/bus3/cmd/internal/show"
	"github.com/bus3/bus3/fs/restore"
)

type restoreCmd struct {
	transfer
	CacheSize config.Size `placeholder:"SIZE" help:"Memory for data that was read; 96MiB if not given."`
	DiskCache config.Size `placeholder:"SIZE" help:"Disk space for data that was read, still encrypted, in the cache directory; none if not given: a restore reads nearly everything once."`
	What      string      `arg:"" name:"PATH" help:"A path, absolute as it was or relative to the root of the backup: it becomes DEST/<its name>. \"all\": what is in that root goes into DEST itself."`
	Dest      string      `arg:"" name:"DEST" help:"Directory to restore into; it is made if need be."`
	Scan      *scanNumber `arg:"" optional:"" name:"N" help:"Number of the backup; the newest finished one of a directory that PATH is in if not given."`
	Overwrite bool        `help:"Replace files that are there and differ in size or time. Those of the same size and time are taken for the same: they keep their content, and get owner, mode and extended attributes as they were."`
	Jobs      int         `short:"j" placeholder:"N" help:"How many workers write."`
}

// Run restores, in parallel, and verifies every byte.
func (c *restoreCmd) Run(ctx context.Context, a *app) error {
	s, err := a.openReaderWith(ctx, &c.transfer)
	if err != nil {
		return err
	}
	defer s.close()
	scan, rel, err := c.choose(ctx, s.cat)
	if err != nil {
		return err
	}
	reader, err := a.reader(s, c.caching())
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	collect(collectRestoring)
	v := &restoreView{a: a, bytes: scan.Counts.Bytes, files: scan.Counts.Files}
	if rel != "" {
		v.bytes, v.files = 0, 0 // nobody has counted parts of a backup
	}
	v.start()
	sum, err := restore.Run(ctx, s.cat, reader, restore.Options{
		Scan: scan.Number, Path: rel, Dest: c.Dest, Overwrite: c.Overwrite, Jobs: max(c.Jobs, 0), Progress: &v.progress, Problem: v.problem,
	})
	v.stop()
	if err != nil {
		return err
	}
	if err := v.summary(sum); err != nil {
		return err
	}
	if sum.Failed > 0 {
		return errPartial
	}
	return nil
}

// caching is the caches that a restore has. What is in the configuration about the disk cache is for mounts: a restore
// would spend a third of its time on filling it, and push out of it what somebody reads again.
func (c *restoreCmd) caching() *caching {
	disk := c.DiskCache
	disk.Given = true
	return &caching{CacheSize: c.CacheSize, DiskCache: disk}
}

// choose finds the scan, and the path relative to its root. "" is everything.
func (c *restoreCmd) choose(ctx context.Context, cat engine) (catalog.Scan, string, error) {
	path := c.What
	if path == "all" {
		path = ""
	}
	if c.Scan != nil {
		scan, err := c.Scan.find(ctx, cat)
		if err != nil {
			return scan, "", err
		}
		rel, err := within(&scan, path)
		return scan, rel, err
	}
	// Several sources may be in the repository: a path that is absolute tells which one is meant.
	scan, err := newest(ctx, cat, func(s *catalog.Scan) bool {
		_, err := within(s, path)
		return s.State.Finished() && !errors.Is(err, errElsewhere)
	})
	if errors.Is(err, errNoBackup) && strings.HasPrefix(path, "/") {
		err = fmt.Errorf("no finished backup has %s; `bus3 list` shows what was backed up", show.Name(path))
	}
	if err != nil {
		return scan, "", err
	}
	rel, err := within(&scan, path)
	return scan, rel, err
}

// restoreView shows a restore.
type restoreView struct {
	a            *app
	progress     restore.Progress
	bytes, files int64 // in all, if known
	drawn        *show.Progress
}

func (v *restoreView) start() {
	if v.a.interactive && !v.a.Quiet && !v.a.JSON {
		v.drawn = show.Start(v.a.err, "Restoring", func() show.Now {
			return show.Now{Files: v.progress.Files.Load(), Bytes: v.progress.Bytes.Load(), TotalFiles: v.files, TotalBytes: v.bytes}
		})
	}
}

func (v *restoreView) stop() {
	if v.drawn != nil {
		v.drawn.Stop()
		v.drawn = nil
	}
}

func (v *restoreView) problem(path, message string) {
	switch line := show.Name(path) + ": " + show.Line(message); {
	case v.a.JSON:
		_ = v.a.line(errorMessage{Type: "error", Error: errorText{message}, During: "restore", Item: path, ItemRaw: raw(path)})
	case v.drawn != nil:
		v.drawn.Print(line)
	default:
		v.a.say("%s", line)
	}
}

func (v *restoreView) summary(s *restore.Summary) error {
	if v.a.JSON {
		return v.a.line(struct {
			Type     string           `json:"message_type"`
			Scan     int64            `json:"scan"`
			Files    int64            `json:"files_restored"`
			Dirs     int64            `json:"dirs_restored"`
			Bytes    int64            `json:"bytes_restored"`
			Kept     int64            `json:"files_kept"`
			Failed   int64            `json:"failed"`
			Denied   map[string]int64 `json:"denied,omitempty"`
			Duration float64          `json:"total_duration"`
		}{"summary", s.Scan, s.Files, s.Dirs, s.Bytes, s.Kept, s.Failed, s.Denied, s.Duration.Seconds()})
	}
	var denied []string
	for what, n := range s.Denied {
		denied = append(denied, fmt.Sprintf("%s of %s", show.Name(what), show.Plural(n, "path", "paths")))
	}
	slices.Sort(denied)
	if len(denied) > 0 {
		v.a.say("Not allowed here, and left out: %s", strings.Join(denied, ", "))
	}
	if s.Failed > 0 {
		v.a.say("%s could not be restored; the lines above say which, and why", show.Plural(s.Failed, "path", "paths"))
	}
	if v.a.Quiet {
		return nil
	}
	kept := ""
	if s.Kept > 0 {
		kept = fmt.Sprintf(", %s were there already", show.Count(s.Kept))
	}
	_, err := fmt.Fprintf(v.a.out, "Restored backup %d: %s, %s, %s%s; %s\n", s.Scan, show.Plural(s.Files, "file", "files"),
		show.Plural(s.Dirs, "directory", "directories"), show.Size(s.Bytes), kept, show.Duration(s.Duration.Round(time.Millisecond)))
	if err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}
