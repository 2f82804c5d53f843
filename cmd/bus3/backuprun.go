package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/bus3/bus3/backup"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/cmd/internal/show"
)

// backupOne makes one scan and tells of it: progress and problems meanwhile, a summary at the end.
func (a *app) backupOne(ctx context.Context, s *session, plan *backup.Options) error {
	o, v := *plan, newBackupView(a, plan.Root)
	o.Progress = &v.progress
	o.Problem = v.problem
	o.CatchUp = func(ctx context.Context) error { return a.sync(ctx, s) }
	if err := a.wantsAll(ctx, s, &o); err != nil {
		return err
	}
	v.start()
	sum, err := backup.Run(ctx, s.cat, s.store, s.repo, o)
	v.stop()
	if err != nil {
		if errors.Is(err, catalog.ErrLocked) {
			return hint(err, "wait for it to end")
		}
		return err
	}
	if err := v.summary(sum, o.DryRun); err != nil {
		return err
	}
	if sum.State == catalog.Partial {
		return errPartial
	}
	return nil
}

// wantsAll gives up a list of what may have changed where there is no finished backup that has the rest: one would be made that
// says it is complete, and is not.
func (a *app) wantsAll(ctx context.Context, s *session, o *backup.Options) error {
	if o.FilesFrom == nil {
		return nil
	}
	errFound := errors.New("found")
	err := s.cat.Scans(ctx, func(scan *catalog.Scan) error {
		if scan.Source.Host == o.Host && scan.Source.Root == o.Root && scan.State.Finished() {
			return errFound
		}
		return nil
	})
	if errors.Is(err, errFound) {
		return nil
	}
	if err == nil {
		a.note("There is no finished backup of %s yet: all of it is looked at, and not only what --files-from lists.", show.Name(o.Root))
		o.FilesFrom = nil
	}
	return err
}

// backupView shows a run: as a line on a terminal, as JSON lines, or not at all.
type backupView struct {
	a        *app
	root     string
	progress backup.Progress
	drawn    *show.Progress // nil: nothing is drawn
	quit     chan struct{}  // ends the JSON lines; nil: there are none
	done     chan struct{}
}

func newBackupView(a *app, root string) *backupView { return &backupView{a: a, root: root} }

// statusEvery is how often a JSON line tells how far a run is.
const statusEvery = time.Second

func (v *backupView) start() {
	switch {
	case v.a.JSON && !v.a.Quiet:
		v.quit, v.done = make(chan struct{}), make(chan struct{})
		go v.statusLines()
	case v.a.interactive && !v.a.Quiet:
		v.drawn = show.Start(v.a.err, "Backing up "+show.Name(filepath.Base(v.root)), v.now)
	}
}

func (v *backupView) stop() {
	if v.drawn != nil {
		v.drawn.Stop()
		v.drawn = nil
	}
	if v.quit != nil {
		close(v.quit)
		<-v.done
	}
}

// now is the run's progress. Until all names are known, the totals are those of the run before.
func (v *backupView) now() show.Now {
	p := &v.progress
	n := show.Now{Files: p.DoneFiles.Load(), Bytes: p.DoneBytes.Load(), TotalFiles: p.TotalFiles.Load(), TotalBytes: p.TotalBytes.Load()}
	if p.Walked.Load() {
		n.TotalFiles, n.TotalBytes = p.Files.Load(), p.Bytes.Load()
	} else {
		n.TotalFiles, n.TotalBytes = max(n.TotalFiles, p.Files.Load()), max(n.TotalBytes, p.Bytes.Load())
	}
	return n
}

func (v *backupView) statusLines() {
	defer close(v.done)
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		select {
		case <-v.quit:
			return
		case <-tick.C:
			_ = v.a.line(v.status()) // the summary will find out that nobody reads
		}
	}
}

// statusMessage and the two below are shaped as restic's are.
type statusMessage struct {
	Type       string  `json:"message_type"`
	Percent    float64 `json:"percent_done"`
	TotalFiles int64   `json:"total_files"`
	FilesDone  int64   `json:"files_done"`
	TotalBytes int64   `json:"total_bytes"`
	BytesDone  int64   `json:"bytes_done"`
	Errors     int64   `json:"error_count,omitempty"`
}

func (v *backupView) status() statusMessage {
	n := v.now()
	m := statusMessage{
		Type: "status", TotalFiles: n.TotalFiles, FilesDone: n.Files, TotalBytes: n.TotalBytes, BytesDone: n.Bytes, Errors: v.progress.Problems.Load(),
	}
	if n.TotalBytes > 0 {
		m.Percent = min(1, float64(n.Bytes)/float64(n.TotalBytes))
	}
	return m
}

type errorMessage struct {
	Type    string    `json:"message_type"`
	Error   errorText `json:"error"`
	During  string    `json:"during"`
	Item    string    `json:"item"`
	ItemRaw []byte    `json:"item_bytes,omitempty"` // base64; only where item is not UTF-8
}

type errorText struct {
	Message string `json:"message"`
}

func (v *backupView) problem(path, message string) {
	switch line := show.Name(path) + ": " + show.Line(message); {
	case v.a.JSON:
		_ = v.a.line(errorMessage{Type: "error", Error: errorText{message}, During: "archival", Item: path, ItemRaw: raw(path)})
	case v.drawn != nil:
		v.drawn.Print(line)
	default:
		v.a.say("%s", line)
	}
}

type summaryMessage struct {
	Type          string  `json:"message_type"`
	DryRun        bool    `json:"dry_run,omitempty"`
	New           int64   `json:"new"`
	Changed       int64   `json:"changed"`
	Unchanged     int64   `json:"unchanged"`
	Removed       int64   `json:"removed"`
	Files         int64   `json:"total_files_processed"`
	Dirs          int64   `json:"total_dirs_processed"`
	Others        int64   `json:"total_others_processed"`
	Bytes         int64   `json:"total_bytes_processed"`
	BytesRead     int64   `json:"bytes_read"`
	DataAdded     int64   `json:"data_added"`
	DataPacked    int64   `json:"data_added_packed"`
	Objects       int64   `json:"objects_stored"`
	EntriesOpened int64   `json:"entries_opened"`
	EntriesClosed int64   `json:"entries_closed"`
	Problems      int64   `json:"problems"`
	Duration      float64 `json:"total_duration"`
	Started       string  `json:"backup_start"`
	Snapshot      string  `json:"snapshot_id"`
	Scan          int64   `json:"scan"`
	Host          string  `json:"hostname"`
	Root          string  `json:"root"`
	State         string  `json:"state"`
}

func (v *backupView) summary(s *backup.Summary, dry bool) error {
	n := &s.Counts
	if v.a.JSON {
		return v.a.line(summaryMessage{
			Type: "summary", DryRun: dry, New: n.New, Changed: n.Changed, Unchanged: n.Unchanged, Removed: n.Removed, Files: n.Files, Dirs: n.Dirs, Others: n.Others,
			Bytes: n.Bytes, BytesRead: n.BytesRead, DataAdded: n.BytesNew, DataPacked: n.BytesStored, Objects: n.Objects,
			EntriesOpened: n.EntriesOpened, EntriesClosed: n.EntriesClosed, Problems: n.Problems, Duration: s.Duration.Seconds(),
			Started: s.Started.Format(time.RFC3339Nano), Snapshot: fmt.Sprint(s.Scan), Scan: s.Scan, Host: s.Source.Host, Root: s.Source.Root, State: s.State.String(),
		})
	}
	if v.a.Quiet {
		return nil
	}
	verb, stored := "Backup", "stored"
	if dry {
		verb, stored = "Dry run of backup", "would be stored"
	}
	text := fmt.Sprintf("%s %d of %s: %s new, %s changed, %s unchanged, %s removed; %s read, %s %s; %s\n", verb, s.Scan, show.Name(s.Source.Root),
		show.Count(n.New), show.Count(n.Changed), show.Count(n.Unchanged), show.Count(n.Removed), show.Size(n.BytesRead), show.Size(n.BytesStored), stored, show.Duration(s.Duration))
	if n.Problems > 0 {
		text += fmt.Sprintf("%s could not be backed up soundly; the lines above say which, and why\n", show.Plural(n.Problems, "path", "paths"))
	}
	if _, err := v.a.out.Write([]byte(text)); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// tellOfOtherHosts says once, to who writes with a catalog of this machine only, what PostgreSQL is for.
func (a *app) tellOfOtherHosts(ctx context.Context, s *session, host string) {
	if s.place.catalog != "" || ctx.Err() != nil {
		return
	}
	mark := s.catalogName + ".told-of-hosts"
	if _, err := os.Lstat(mark); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	found, errFound := "", errors.New("found")
	err := s.cat.Scans(ctx, func(scan *catalog.Scan) error {
		if found = scan.Source.Host; found != host {
			return errFound
		}
		return nil
	})
	if !errors.Is(err, errFound) || os.WriteFile(mark, nil, 0o600) != nil {
		return
	}
	a.note("The host %s backs up to this store too. That is safe, but each host has a catalog of its own and sees what the others store only later; a PostgreSQL catalog that all of them name is made for it.", show.Name(found))
}
