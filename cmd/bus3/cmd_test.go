package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/cmd/internal/keys"
	"github.com/bus3/bus3/s3store/repository"
)

func TestExitCodes(t *testing.T) {
	interrupted, cancel := context.WithCancelCause(t.Context())
	cancel(errInterrupted)
	for _, c := range []struct {
		ctx  context.Context
		err  error
		want int
	}{
		{t.Context(), nil, 0},
		{interrupted, nil, 0},
		{t.Context(), errors.New("anything"), 1},
		{t.Context(), errPartial, 3},
		{t.Context(), fmt.Errorf("open: %w", repository.ErrNoRepository), 10},
		{t.Context(), fmt.Errorf("open: %w", errUninitialised), 10},
		{t.Context(), fmt.Errorf("lock: %w", catalog.ErrLocked), 11},
		{t.Context(), fmt.Errorf("open: %w", repository.ErrWrongKey), 12},
		{t.Context(), keys.ErrNone, 12},
		{interrupted, context.Canceled, 130},
		{t.Context(), &exitError{12}, 12},
		{t.Context(), errors.Join(errors.New("one"), catalog.ErrLocked), 11},
	} {
		if got := exitCode(c.ctx, c.err); got != c.want {
			t.Errorf("%v: code %d, want %d", c.err, got, c.want)
		}
	}
}

func TestPathsWithinABackup(t *testing.T) {
	home := &catalog.Scan{Number: 3, Source: catalog.Source{Root: "/home/a"}}
	top := &catalog.Scan{Number: 3, Source: catalog.Source{Root: "/"}}
	for _, c := range []struct {
		scan      *catalog.Scan
		path, rel string
		ok        bool
	}{
		{home, "", "", true},
		{home, "/home/a", "", true},
		{home, "/home/a/", "", true},
		{home, "/home//a/b/./c/", "b/c", true},
		{home, "b/c", "b/c", true},
		{home, "/home/ab", "", false},
		{home, "/", "", false},
		{home, "../x", "", false},
		{home, "b/../c", "", false},
		{home, "/home/a/../b", "", false},
		{home, "a\x00b", "", false},
		{top, "/", "", true},
		{top, "/etc/x", "etc/x", true},
		{top, "etc/x", "etc/x", true},
	} {
		rel, err := within(c.scan, c.path)
		if rel != c.rel || (err == nil) != c.ok {
			t.Errorf("%q within %s: %q, %v", c.path, c.scan.Source.Root, rel, err)
		}
	}
}

func TestPatternsThatBeginWithTheRootAreAbsolutePaths(t *testing.T) {
	for _, c := range [][3]string{
		{"/home/a/", "/home/a/big", "/big"},
		{"/home/a/", "!/home/a/big/x", "!/big/x"},
		{"/home/a/", "/home/ab", "/home/ab"},
		{"/home/a/", "*.o", "*.o"},
		{"/", "/big", "/big"},
	} {
		if got := beneath(c[0], c[1]); got != c[2] {
			t.Errorf("%s below %s became %s, want %s", c[1], c[0], got, c[2])
		}
	}
}

func TestURLsInMessagesHaveNoPasswordsAndFitAShell(t *testing.T) {
	p := place{store: "s3://bucket?endpoint=http://h:1&region=x", storeNamed: true, catalog: "postgres://user:secret@host/db"}
	if got, want := p.flags(), ` --store 's3://bucket?endpoint=http://h:1&region=x' --catalog postgres://user:xxxxx@host/db`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got := redacted("postgres://user:sec%zzret@host"); strings.Contains(got, "ret") && !strings.Contains(got, "cannot be read") {
		t.Errorf("got %s", got)
	}
}

func TestSQLiteURLs(t *testing.T) {
	if got, err := sqlitePath("sqlite:///var/lib/a%20b.db"); err != nil || got != "/var/lib/a b.db" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"sqlite://relative/x", "sqlite:x", "sqlite:///x?mode=ro", "file:///x"} {
		if got, err := sqlitePath(bad); err == nil {
			t.Errorf("%s gave %q", bad, got)
		}
	}
}

func TestListsOfFiles(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{"", nil},
		{"a\nb c\n\nd", []string{"a", "b c", "d"}},
		{"a\nb\x00c\x00", []string{"a\nb", "c"}},
	} {
		got, err := readList(strings.NewReader(c.text))
		if err != nil || strings.Join(got, "|") != strings.Join(c.want, "|") {
			t.Errorf("%q gave %q, %v", c.text, got, err)
		}
	}
}
