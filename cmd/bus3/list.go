package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/cmd/internal/show"
)

type listCmd struct {
	Long bool   `short:"l" help:"Also host, state, files, bytes read, bytes stored and tags."`
	All  bool   `short:"a" help:"Also backups that did not finish, or are running."`
	Host string `help:"Only the backups of that host."`
}

// Run prints the backups, oldest first.
func (c *listCmd) Run(ctx context.Context, a *app) error {
	r, err := a.openReader(ctx)
	if err != nil {
		return err
	}
	defer r.close()
	var scans []catalog.Scan
	err = r.cat.Scans(ctx, func(s *catalog.Scan) error {
		if (c.All || s.State.Finished()) && (c.Host == "" || c.Host == s.Source.Host) {
			scans = append(scans, *s)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the backups in %s: %w", r.catalogName, err)
	}
	switch {
	case a.JSON:
		return c.json(a, scans)
	case c.Long:
		return c.long(a, scans)
	}
	return a.buffered(func(w io.Writer) {
		_, _ = fmt.Fprintln(w, "  #: date & time         backup root directory")
		for i := range scans {
			s := &scans[i]
			_, _ = fmt.Fprintf(w, "%3d: %s %s%s\n", s.Number, show.Time(s.Started), show.Name(s.Source.Root), unfinished(s))
		}
	})
}

// unfinished marks what --all shows besides.
func unfinished(s *catalog.Scan) string {
	if s.State.Finished() {
		return ""
	}
	return " (" + s.State.String() + ")"
}

func (c *listCmd) long(a *app, scans []catalog.Scan) error {
	rows := [][]string{{"#", "date & time", "took", "host", "state", "files", "size", "read", "stored", "backup root directory", "tags"}}
	for i := range scans {
		s := &scans[i]
		took := ""
		if s.Finished != 0 {
			took = show.Duration(time.Duration(s.Finished - s.Started))
		}
		state := s.State.String()
		if s.Counts.Problems > 0 {
			state = fmt.Sprintf("%s (%s)", state, show.Plural(s.Counts.Problems, "problem", "problems"))
		}
		tags := make([]string, len(s.Tags))
		for i, t := range s.Tags {
			tags[i] = show.Name(t)
		}
		rows = append(rows, []string{
			fmt.Sprint(s.Number), show.Time(s.Started), took, show.Name(s.Source.Host), state, show.Count(s.Counts.Files), show.Size(s.Counts.Bytes),
			show.Size(s.Counts.BytesRead), show.Size(s.Counts.BytesStored), show.Name(s.Source.Root), strings.Join(tags, " "),
		})
	}
	return a.buffered(func(w io.Writer) { _ = show.Table(w, rows, 0, 2, 5, 6, 7, 8) })
}

// scanJSON is how --json shows a scan.
type scanJSON struct {
	Number   int64      `json:"number"`
	Time     time.Time  `json:"time"`
	Finished *time.Time `json:"finished,omitempty"`
	Host     string     `json:"hostname"`
	Root     string     `json:"root"`
	RootRaw  []byte     `json:"root_bytes,omitempty"` // base64; only where root is not UTF-8
	State    string     `json:"state"`
	Tags     []string   `json:"tags,omitempty"`
	Program  string     `json:"program_version,omitempty"`

	Files       int64 `json:"files"`
	Dirs        int64 `json:"dirs"`
	Others      int64 `json:"others"`
	Bytes       int64 `json:"bytes"`
	New         int64 `json:"new"`
	Changed     int64 `json:"changed"`
	Unchanged   int64 `json:"unchanged"`
	Removed     int64 `json:"removed"`
	BytesRead   int64 `json:"bytes_read"`
	BytesNew    int64 `json:"bytes_new"`
	BytesStored int64 `json:"bytes_stored"`
	Objects     int64 `json:"objects"`
	Problems    int64 `json:"problems"`
}

func (c *listCmd) json(a *app, scans []catalog.Scan) error {
	out := make([]scanJSON, 0, len(scans)) // [] and not null when there are none
	for i := range scans {
		s, n := &scans[i], &scans[i].Counts
		j := scanJSON{
			Number: s.Number, Time: time.Unix(0, s.Started), Host: s.Source.Host, Root: s.Source.Root, RootRaw: raw(s.Source.Root),
			State: s.State.String(), Tags: s.Tags, Program: s.Program,
			Files: n.Files, Dirs: n.Dirs, Others: n.Others, Bytes: n.Bytes, New: n.New, Changed: n.Changed, Unchanged: n.Unchanged, Removed: n.Removed,
			BytesRead: n.BytesRead, BytesNew: n.BytesNew, BytesStored: n.BytesStored, Objects: n.Objects, Problems: n.Problems,
		}
		if s.Finished != 0 {
			t := time.Unix(0, s.Finished)
			j.Finished = &t
		}
		out = append(out, j)
	}
	return a.line(out)
}
