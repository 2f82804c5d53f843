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

// restic: https://restic.readthedocs.io
type restic struct {
	*place
	program string
	root    string // that was backed up
}

func (t *restic) name() string { return "restic" }

func (t *restic) command(args ...string) command {
	return command{args: append([]string{t.program}, args...), env: t.env(
		fmt.Sprintf("RESTIC_REPOSITORY=s3:%s/%s", t.endpoint, t.bucket), "RESTIC_PASSWORD=bench", "RESTIC_CACHE_DIR="+t.at("cache"),
		"RESTIC_PROGRESS_FPS=0.01", "AWS_DEFAULT_REGION="+versity.Region)}
}

func (t *restic) create(ctx context.Context) error {
	_, err := t.command("init").run(ctx)
	return err
}

func (t *restic) backup(dir string) command {
	t.root = dir
	return t.command("backup", "--quiet", dir)
}

func (t *restic) restore(_ context.Context, dest string) (command, error) {
	return t.command("restore", "--quiet", "latest", "--target", dest), nil
}

func (t *restic) mount(point string) command { return t.command("mount", point) }

func (t *restic) within(_ context.Context, point string) (string, error) {
	return filepath.Join(point, "snapshots", "latest", t.root), nil
}

func (t *restic) cold(context.Context) error { return os.RemoveAll(t.at("cache")) }

// kopia: https://kopia.io
type kopia struct {
	*place
	program string
}

func (t *kopia) name() string { return "kopia" }

func (t *kopia) command(args ...string) command {
	return command{args: append([]string{t.program}, args...), env: t.env(
		"KOPIA_PASSWORD=bench", "KOPIA_CHECK_FOR_UPDATES=false", "KOPIA_CONFIG_PATH="+t.at("config"),
		"KOPIA_CACHE_DIRECTORY="+t.at("cache"), "KOPIA_LOG_DIR="+t.at("log"))}
}

func (t *kopia) create(ctx context.Context) error {
	_, err := t.command("repository", "create", "s3", "--bucket", t.bucket, "--endpoint", t.endpoint.Host, "--disable-tls",
		"--region", versity.Region, "--access-key", t.admin.AccessKey, "--secret-access-key", t.admin.SecretKey).run(ctx)
	if err != nil {
		return err
	}
	_, err = t.command("policy", "set", "--global", "--compression=zstd-fastest").run(ctx)
	return err
}

func (t *kopia) backup(dir string) command {
	return t.command("snapshot", "create", "--no-progress", dir)
}

// newest is the name of the newest snapshot's root.
func (t *kopia) newest(ctx context.Context) (string, error) {
	s, err := t.command("snapshot", "list", "--json").run(ctx)
	if err != nil {
		return "", err
	}
	var list []struct {
		RootEntry struct{ Obj string }
	}
	if err := json.Unmarshal(s.stdout, &list); err != nil || len(list) == 0 {
		return "", errors.Join(errors.New("kopia lists no snapshot"), err)
	}
	return list[len(list)-1].RootEntry.Obj, nil
}

func (t *kopia) restore(ctx context.Context, dest string) (command, error) {
	root, err := t.newest(ctx)
	return t.command("snapshot", "restore", "--no-progress", root, dest), err
}

func (t *kopia) mount(point string) command { return t.command("mount", "all", point) }

// within goes down, through user@host, directory and time, to the newest snapshot.
func (t *kopia) within(_ context.Context, point string) (string, error) {
	for range 3 {
		names, err := os.ReadDir(point)
		if err != nil || len(names) == 0 {
			return "", errors.Join(fmt.Errorf("kopia shows nothing in %s", point), err)
		}
		point = filepath.Join(point, names[len(names)-1].Name())
	}
	return point, nil
}

func (t *kopia) cold(ctx context.Context) error {
	_, err := t.command("cache", "clear").run(ctx)
	return err
}

// juicefs: https://juicefs.com; no backup program, but a file system that keeps its data in S3: for the rows of the mount.
type juicefs struct {
	*place
	program string
}

func (t *juicefs) name() string { return "juicefs" }

func (t *juicefs) command(args ...string) command {
	return command{args: append([]string{t.program}, args...), env: t.env()}
}

func (t *juicefs) meta() string { return "sqlite3://" + t.at("meta.db") }

func (t *juicefs) create(ctx context.Context) error {
	_, err := t.command("format", "--storage", "s3", "--bucket", t.endpoint.String()+"/"+t.bucket,
		"--access-key", t.admin.AccessKey, "--secret-key", t.admin.SecretKey, t.meta(), "bench").run(ctx)
	return err
}

// backup copies the directory into the file system.
func (t *juicefs) backup(dir string) command {
	point := t.at("fill")
	c := sh(`"$1" mount -d --no-usage-report --cache-dir "$2" "$3" "$4" && cp -a "$5/." "$4/tree" && "$1" umount "$4"`,
		t.program, t.at("cache"), t.meta(), point, dir)
	c.env = t.env()
	return c
}

func (t *juicefs) restore(context.Context, string) (command, error) {
	return command{}, errors.New("juicefs does not restore")
}

func (t *juicefs) mount(point string) command {
	return t.command("mount", "--no-usage-report", "--read-only", "--cache-dir", t.at("cache"), t.meta(), point)
}

func (t *juicefs) within(_ context.Context, point string) (string, error) {
	return filepath.Join(point, "tree"), nil
}

func (t *juicefs) cold(context.Context) error { return os.RemoveAll(t.at("cache")) }

// archives tells whether a tool backs up and restores, and does not only mount.
func archives(t tool) bool {
	_, mountsOnly := t.(*juicefs)
	return !mountsOnly
}
