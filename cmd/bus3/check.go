package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/bus3/bus3/backup/check"
	"github.com/bus3/bus3/cmd/internal/config"
	"github.com/bus3/bus3/cmd/internal/show"
	"github.com/bus3/bus3/s3store/repository"
)

type checkCmd struct {
	transfer
	ReadData       bool   `help:"Also read all data, and verify every byte of it."`
	ReadDataSubset string `placeholder:"5%|1G" help:"Also read that much of the data: what was not verified for the longest time."`
}

// Run checks, and fails if anything is at fault.
func (c *checkCmd) Run(ctx context.Context, a *app) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	s, err := a.openChecker(ctx, c)
	if err != nil {
		return err
	}
	defer s.close()
	v := &checkView{a: a}
	if err := v.behind(ctx, s); err != nil {
		return err
	}
	o.Found, o.Progress = v.found, v.progress
	v.start()
	r, err := check.Run(ctx, s.cat, s.store, s.repo, o)
	v.stop()
	if err == nil {
		err = v.err
	}
	if err != nil {
		return fmt.Errorf("check %s: %w", s.store, err)
	}
	return v.summary(r, o.ReadData)
}

// openChecker opens the catalog, to write to it if it may be written to: it remembers what was verified, and what is broken.
func (a *app) openChecker(ctx context.Context, c *checkCmd) (*session, error) {
	s, err := a.openReaderWith(ctx, &c.transfer)
	if err != nil || s.replica {
		return s, err
	}
	reading := s.cat
	if s.openCatalog(ctx, false) == nil {
		return s, reading.Close()
	}
	s.cat = reading // it is read-only, as the check will say
	return s, nil
}

func (c *checkCmd) options() (o check.Options, err error) {
	o.ReadData = c.ReadData || c.ReadDataSubset != ""
	if c.ReadDataSubset == "" || c.ReadData {
		return o, nil
	}
	bad := fmt.Errorf("--read-data-subset %s: give a part, as in 5%%, or a size, as in 1G", c.ReadDataSubset)
	if percent, ok := strings.CutSuffix(c.ReadDataSubset, "%"); ok {
		p, err := strconv.ParseFloat(percent, 64)
		if err != nil || !(p > 0 && p <= 100) {
			return o, bad
		}
		o.Fraction = p / 100
		return o, nil
	}
	if o.Bytes, err = config.ParseSize(c.ReadDataSubset); err != nil || o.Bytes == 0 {
		return o, bad
	}
	return o, nil
}

// checkView shows a check.
type checkView struct {
	a           *app
	done, total atomic.Int64
	drawn       *show.Progress
	err         error // of the output
}

// behind says first of all if the journal has scans that the catalog lacks: what follows is about the rest then.
func (v *checkView) behind(ctx context.Context, s *session) error {
	next, err := s.cat.NextScan(ctx)
	if err != nil {
		return err
	}
	found := errors.New("found")
	err = s.repo.Parts(ctx, next, func(repository.Part) error { return found })
	if errors.Is(err, found) {
		v.a.say("The catalog %s is behind the store: it does not know scan %d and what may follow. The next backup catches up; what is checked is what the catalog knows.", s.catalogName, next)
		return nil
	}
	return err
}

func (v *checkView) start() {
	if v.a.interactive && !v.a.Quiet && !v.a.JSON {
		v.drawn = show.Start(v.a.err, "Checking", func() show.Now {
			return show.Now{Bytes: v.done.Load(), TotalBytes: v.total.Load(), Files: v.done.Load() >> 20, One: "MiB of data", Many: "MiB of data"}
		})
	}
}

func (v *checkView) progress(done, total int64) {
	v.done.Store(done)
	v.total.Store(total)
}

func (v *checkView) stop() {
	if v.drawn != nil {
		v.drawn.Stop()
		v.drawn = nil
	}
}

type pathJSON struct {
	Host    string `json:"hostname"`
	Path    string `json:"path"`
	PathRaw []byte `json:"path_bytes,omitempty"` // base64; only where path is not UTF-8
	First   int64  `json:"first"`
	Last    int64  `json:"last"` // -1: the newest
}

type findingMessage struct {
	Type     string         `json:"message_type"`
	Severity check.Severity `json:"severity"`
	Kind     check.Kind     `json:"kind"`
	Key      string         `json:"key,omitempty"`
	Scan     int64          `json:"scan"` // -1: of none
	Message  string         `json:"message"`
	Bytes    int64          `json:"bytes,omitempty"`
	Files    int64          `json:"files,omitempty"`
	Paths    []pathJSON     `json:"paths,omitempty"`
}

func (v *checkView) found(f check.Finding) {
	if v.a.JSON {
		m := findingMessage{Type: "finding", Severity: f.Severity, Kind: f.Kind, Key: f.Key, Scan: f.Scan, Message: f.Message, Bytes: f.Bytes, Files: f.Files}
		for _, p := range f.Paths {
			m.Paths = append(m.Paths, pathJSON{p.Host, p.Path, raw(p.Path), p.First, p.Last})
		}
		v.err = errors.Join(v.err, v.a.line(m))
		return
	}
	if v.a.Quiet && f.Severity != check.Fault {
		return
	}
	text := f.Message
	if f.Key != "" && !strings.Contains(text, f.Key) {
		text = f.Key + ": " + text
	}
	v.print(string(f.Severity) + ": " + show.Line(text))
	for _, p := range f.Paths {
		v.print(fmt.Sprintf("    %s (%s)", show.Name(p.Path), span(&p)))
	}
	if more := f.Files - int64(len(f.Paths)); more > 0 && len(f.Paths) > 0 {
		v.print(fmt.Sprintf("    and %s more", show.Count(more)))
	}
}

// span is where a path is.
func span(p *check.Path) string {
	switch {
	case p.Last < 0:
		return fmt.Sprintf("%s, since scan %d", show.Name(p.Host), p.First)
	case p.First == p.Last:
		return fmt.Sprintf("%s, scan %d", show.Name(p.Host), p.First)
	}
	return fmt.Sprintf("%s, scans %d to %d", show.Name(p.Host), p.First, p.Last)
}

// print writes a line of findings to standard output: they are what was asked for.
func (v *checkView) print(line string) {
	if v.drawn != nil {
		v.drawn.Print(line)
		return
	}
	_, err := fmt.Fprintln(v.a.out, line)
	v.err = errors.Join(v.err, err)
}

type checkMessage struct {
	Type           string  `json:"message_type"`
	Scans          int64   `json:"scans"`
	JournalObjects int64   `json:"journal_objects"`
	Behind         int64   `json:"journal_objects_behind"`
	Packs          int64   `json:"packs"`
	PackBytes      int64   `json:"pack_bytes"`
	PacksRead      int64   `json:"packs_read"`
	BytesRead      int64   `json:"bytes_read"`
	Faults         int64   `json:"faults"`
	GarbageObjects int64   `json:"garbage_objects"`
	GarbageBytes   int64   `json:"garbage_bytes"`
	Notes          int64   `json:"notes"`
	Duration       float64 `json:"total_duration"`
}

// summary tells the counts; errFaults if there are faults.
func (v *checkView) summary(r *check.Report, read bool) error {
	var err error
	switch {
	case v.a.JSON:
		err = v.a.line(checkMessage{
			"summary", r.Scans, r.JournalObjects, r.Behind, r.Packs, r.PackBytes, r.PacksRead, r.BytesRead, r.Faults, r.GarbageObjects, r.GarbageBytes, r.Notes,
			r.Duration.Seconds(),
		})
	case !v.a.Quiet || r.Faults > 0:
		v.print(conclusion(r, read))
		err = v.err
	}
	if err != nil {
		return err
	}
	if r.Faults > 0 {
		return errFaults
	}
	return nil
}

func conclusion(r *check.Report, read bool) string {
	text := fmt.Sprintf("Checked %s, %s, %s (%s)", show.Plural(r.Scans, "scan", "scans"), show.Plural(r.JournalObjects, "journal object", "journal objects"),
		show.Plural(r.Packs, "pack", "packs"), show.Size(r.PackBytes))
	switch {
	case read && r.PacksRead == r.Packs:
		text += ", and read all data"
	case read:
		text += fmt.Sprintf(", and read %s (%s)", show.Plural(r.PacksRead, "pack", "packs"), show.Size(r.BytesRead))
	}
	if r.Faults == 0 {
		text += ": all is well"
		if r.KnownLosses > 0 {
			text += fmt.Sprintf(" but for what is known to be lost (%s)", show.Plural(r.KnownLosses, "journal object", "journal objects"))
		}
	} else {
		text += ": " + show.Plural(r.Faults, "fault", "faults")
	}
	if r.GarbageObjects > 0 {
		text += fmt.Sprintf(", %s of garbage (%s)", show.Plural(r.GarbageObjects, "object", "objects"), show.Size(r.GarbageBytes))
	}
	return text + "; " + show.Duration(r.Duration.Round(time.Millisecond))
}
