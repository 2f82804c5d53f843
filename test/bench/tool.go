package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/bus3/bus3/test/versity"
)

// tool is a backup program with a repository of its own.
type tool interface {
	name() string
	create(ctx context.Context) error                          // makes the repository
	backup(dir string) command                                 // of a whole directory
	restore(ctx context.Context, dest string) (command, error) // of the newest backup
	mount(point string) command                                // in the foreground
	within(ctx context.Context, point string) (string, error)  // where the newest backup is in the mount
	cold(ctx context.Context) error                            // makes it forget what it has cached
}

// maker makes a tool for a place.
type maker func(p *place) tool

// tools are those that are measured, bus3 first.
func (b *bench) tools() (all []maker) {
	for _, c := range b.set.Catalogs {
		all = append(all, func(p *place) tool { return &bus3{place: p, b: b, catalog: c} })
	}
	return append(all, b.peers()...)
}

func (b *bench) peers() (all []maker) {
	if program := b.set.Programs["restic"]; program != "" {
		all = append(all, func(p *place) tool { return &restic{place: p, program: program} })
	}
	if program := b.set.Programs["kopia"]; program != "" {
		all = append(all, func(p *place) tool { return &kopia{place: p, program: program} })
	}
	if program := b.set.Programs["juicefs"]; program != "" {
		all = append(all, func(p *place) tool { return &juicefs{place: p, program: program} })
	}
	return all
}

// bus3 is the program that all this is about.
type bus3 struct {
	*place
	b       *bench
	catalog string // sqlite or postgres
	url     string // of the catalog
}

func (t *bus3) name() string { return "bus3 " + t.catalog }

func (t *bus3) command(args ...string) command {
	store := versity.StoreURL(t.bucket, t.endpoint.String())
	all := append([]string{t.b.bus3, "--store", store, "--catalog", t.url, "--cache-dir", t.at("cache")}, args...)
	return command{args: all, env: t.env("BUS3_CONFIG=", "BUS3_KEY_FILE=")}
}

func (t *bus3) create(ctx context.Context) (err error) {
	t.url = "sqlite://" + t.at("catalog.db")
	if t.catalog == "postgres" {
		if t.url, err = t.b.pg.NewDatabase(); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(t.at("home"), 0o700); err != nil {
		return err
	}
	_, err = t.command("init", "--quiet").run(ctx)
	return err
}

func (t *bus3) backup(dir string) command { return t.command("backup", "--json", dir) }

func (t *bus3) restore(_ context.Context, dest string) (command, error) {
	return t.command("restore", "--quiet", "all", dest), nil
}

func (t *bus3) mount(point string) command { return t.command("mount", point) }

func (t *bus3) within(_ context.Context, point string) (string, error) {
	return filepath.EvalSymlinks(filepath.Join(point, "latest"))
}

func (t *bus3) cold(context.Context) error { return os.RemoveAll(t.at("cache")) }

// told is what `bus3 backup --json` says at its end.
type told struct {
	Objects int64 `json:"objects_stored"`
	Opened  int64 `json:"entries_opened"`
	Closed  int64 `json:"entries_closed"`
	Packed  int64 `json:"data_added_packed"`
	State   string
}

// summary reads the last line of what a backup of bus3 printed.
func summary(out []byte) (told, error) {
	var last told
	for start := 0; start < len(out); {
		end := start
		for end < len(out) && out[end] != '\n' {
			end++
		}
		if err := json.Unmarshal(out[start:end], &last); err != nil {
			return last, fmt.Errorf("read what bus3 backup printed: %w", err)
		}
		start = end + 1
	}
	if last.State != "complete" {
		return last, errors.New("bus3 backup did not say that the backup is complete")
	}
	return last, nil
}
