package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/cmd/internal/show"
)

// raw is the bytes of a name that JSON cannot hold as text; nil if it can.
func raw(name string) []byte {
	if utf8.ValidString(name) {
		return nil
	}
	return []byte(name)
}

// scanNumber is a backup's number on the command line, or "latest".
type scanNumber struct {
	number int64
	latest bool
}

// UnmarshalText reads it.
func (n *scanNumber) UnmarshalText(text []byte) error {
	if string(text) == "latest" {
		*n = scanNumber{latest: true}
		return nil
	}
	v, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil || v < 0 || v > catalog.MaxScan {
		return fmt.Errorf("%q is no number of a backup; `bus3 list` shows them", text)
	}
	*n = scanNumber{number: v}
	return nil
}

// scans is what finding a backup takes.
type scans interface {
	Scans(ctx context.Context, fn func(*catalog.Scan) error) error
	Scan(ctx context.Context, number int64) (catalog.Scan, error)
}

// find returns the finished scan that n means.
func (n scanNumber) find(ctx context.Context, cat scans) (catalog.Scan, error) {
	if n.latest {
		return newest(ctx, cat, func(s *catalog.Scan) bool { return s.State.Finished() })
	}
	s, err := cat.Scan(ctx, n.number)
	switch {
	case errors.Is(err, catalog.ErrNotFound):
		return s, fmt.Errorf("there is no backup %d; `bus3 list` shows which there are", n.number)
	case err != nil:
		return s, fmt.Errorf("look for backup %d: %w", n.number, err)
	case !s.State.Finished():
		return s, fmt.Errorf("backup %d did not finish, or is still running; `bus3 list` shows those that did", n.number)
	}
	return s, nil
}

var errNoBackup = errors.New("there is no finished backup yet; `bus3 backup DIR` makes one")

// newest returns the newest scan that fits.
func newest(ctx context.Context, cat scans, fits func(*catalog.Scan) bool) (catalog.Scan, error) {
	var found *catalog.Scan
	err := cat.Scans(ctx, func(s *catalog.Scan) error {
		if fits(s) && (found == nil || s.Number > found.Number) {
			c := *s
			found = &c
		}
		return nil
	})
	switch {
	case err != nil:
		return catalog.Scan{}, fmt.Errorf("list the backups: %w", err)
	case found == nil:
		return catalog.Scan{}, errNoBackup
	}
	return *found, nil
}

// errElsewhere: an absolute path is not below the root of a backup.
var errElsewhere = errors.New("is not in this backup")

// within makes a path, absolute or relative to the scan's root, relative to that root; "" is the root itself.
func within(s *catalog.Scan, path string) (string, error) {
	rel := path
	if strings.HasPrefix(path, "/") {
		root := strings.TrimSuffix(s.Source.Root, "/")
		var below bool
		if rel, below = strings.CutPrefix(cleanSlashes(path), root); !below || rel != "" && rel[0] != '/' {
			return "", fmt.Errorf("%s %w: backup %d is of %s", show.Name(path), errElsewhere, s.Number, show.Name(s.Source.Root))
		}
	}
	var parts []string
	for part := range strings.SplitSeq(rel, "/") {
		if part == "" || part == "." {
			continue
		}
		if err := catalog.CheckName(part); err != nil {
			return "", fmt.Errorf("%s is no path in a backup: write it without .., from the root of the backup on", show.Name(path))
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, "/"), nil
}

// cleanSlashes makes runs of slashes one.
func cleanSlashes(path string) string {
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path
}
