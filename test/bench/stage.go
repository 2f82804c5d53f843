package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/test/pgtest"
	"github.com/bus3/bus3/test/versity"
)

// bench is everything that a run has.
type bench struct {
	set     *settings
	rows    []row
	results results
	fresh   map[string]bool // rows that this run has measured
	runs    []string        // earlier runs with values among the results
	keepErr error

	loadBefore string
	stage
}

// stage is what is played on.
type stage struct {
	dir     string // on a tmpfs
	bus3    string // programs
	nothing string
	s3      *versity.Server
	pg      *pgtest.Server // nil unless asked for
	places  int            // that were made
	undo    []func() error
}

// newBench makes the stage. It is taken down by close.
func newBench(ctx context.Context, s *settings) (_ *bench, err error) {
	b := &bench{set: s, rows: allRows(s), results: results{}, fresh: map[string]bool{}, loadBefore: load()}
	defer func() {
		if err != nil {
			err = errors.Join(err, b.close())
		}
	}()
	for _, step := range []func(context.Context) error{b.makeDir, b.build, b.startS3, b.startPostgres} {
		if err := step(ctx); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *bench) close() error {
	var all []error
	for i := len(b.undo) - 1; i >= 0; i-- {
		all = append(all, b.undo[i]())
	}
	return errors.Join(all...)
}

// makeDir makes a directory on a tmpfs.
func (b *bench) makeDir(context.Context) error {
	base := b.set.Dir
	if base == "" {
		base = "/dev/shm"
	}
	if !isTmpfs(base) {
		if err := b.mountTmpfs(); err != nil {
			return fmt.Errorf("%s is not on a tmpfs, and one cannot be mounted (name a directory on one by DIR=): %w", base, err)
		}
		base = b.dir
	}
	dir, err := os.MkdirTemp(base, "bus3-bench-")
	if err != nil {
		return err
	}
	b.dir = dir
	b.undo = append(b.undo, func() error { return os.RemoveAll(dir) })
	return os.Chmod(dir, 0o755)
}

func isTmpfs(dir string) bool {
	var fs unix.Statfs_t
	return unix.Statfs(dir, &fs) == nil && fs.Type == unix.TMPFS_MAGIC
}

func (b *bench) mountTmpfs() error {
	dir, err := os.MkdirTemp("", "bus3-bench-")
	if err != nil {
		return err
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=90%"); err != nil {
		return errors.Join(err, os.Remove(dir))
	}
	b.dir = dir
	b.undo = append(b.undo, func() error { return errors.Join(unix.Unmount(dir, 0), os.Remove(dir)) })
	return nil
}

// build builds bus3, unless BUS3 names one, and the do-nothing server.
func (b *bench) build(ctx context.Context) error {
	bin := filepath.Join(b.dir, "bin")
	b.bus3, b.nothing = os.Getenv("BUS3"), filepath.Join(bin, "nothing")
	wanted := [][2]string{{b.nothing, "./test/nothing"}}
	if b.bus3 == "" {
		b.bus3 = filepath.Join(bin, "bus3")
		wanted = append(wanted, [2]string{b.bus3, "./cmd/bus3"})
	}
	for _, w := range wanted {
		if out, err := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", w[0], w[1]).CombinedOutput(); err != nil {
			return fmt.Errorf("build %s (the bench is run from the project's top folder): %w\n%s", w[1], err, out)
		}
	}
	var err error
	b.bus3, err = filepath.Abs(b.bus3)
	return err
}

func (b *bench) startS3(ctx context.Context) (err error) {
	dir := filepath.Join(b.dir, "s3")
	if b.s3, err = versity.Start(ctx, dir); err != nil {
		return err
	}
	b.undo = append(b.undo, func() error { b.s3.Close(); return nil })
	for _, pair := range b.s3.Admin.Env() { // for the limits, which run in this process
		if err := setenv(pair); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) startPostgres(context.Context) (err error) {
	for _, c := range b.set.Catalogs {
		if c != "postgres" {
			continue
		}
		if b.pg, err = pgtest.StartPrivate(); err != nil {
			return err
		}
		b.undo = append(b.undo, b.pg.Stop)
	}
	return nil
}

// wants tells whether a row was asked for.
func (b *bench) wants(rows ...string) bool {
	for _, name := range rows {
		if b.set.Rows.MatchString(name) {
			return true
		}
	}
	return false
}

// leavesOut tells whether a program is to be spared a step, which is named by its row.
func (b *bench) leavesOut(t tool, row string) bool {
	return b.set.Skip.MatchString(t.name() + " " + row)
}

// add records a value, if its row was asked for and exists. The first of a row takes the place of what earlier runs had.
func (b *bench) add(row, subject string, value float64) {
	if !b.wants(row) {
		return
	}
	for i := range b.rows {
		if b.rows[i].Name == row {
			if !b.fresh[row] {
				b.fresh[row] = true
				delete(b.results, row)
			}
			b.results.add(row, subject, value)
			b.keepErr = errors.Join(b.keepErr, b.keep())
			b.say("%-50s %-14s %s", row, subject, withUnit(value, b.rows[i].Unit))
			return
		}
	}
}

// say reports progress.
func (b *bench) say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }

// place is where one repository of one subject is.
type place struct {
	dir      string // configuration, caches, catalog
	bucket   string
	endpoint *url.URL // of the S3 server, or of what stands before it
	objects  string   // the directory in which the server keeps the bucket
	admin    versity.Credentials
}

// newPlace makes a bucket and a directory.
func (b *bench) newPlace(ctx context.Context, endpoint string) (*place, error) {
	b.places++
	p := &place{bucket: fmt.Sprintf("bench-%04d", b.places), admin: b.s3.Admin}
	p.dir, p.objects = filepath.Join(b.dir, p.bucket), filepath.Join(b.s3.Data(), p.bucket)
	var err error
	if p.endpoint, err = url.Parse(endpoint); err != nil {
		return nil, err
	}
	if err := b.s3.MakeBucket(ctx, p.bucket); err != nil {
		return nil, err
	}
	return p, os.MkdirAll(p.dir, 0o700)
}

// remove frees what the place took.
func (p *place) remove() error { return errors.Join(os.RemoveAll(p.dir), os.RemoveAll(p.objects)) }

// at is a path in the place's directory.
func (p *place) at(name string) string { return filepath.Join(p.dir, name) }

// env hides the user's configuration from a program, and gives it the credentials.
func (p *place) env(more ...string) []string {
	home := p.at("home")
	env := append(p.admin.Env(), "HOME="+home, "XDG_CONFIG_HOME="+home+"/.config", "XDG_CACHE_HOME="+home+"/.cache", "XDG_DATA_HOME="+home+"/.local/share")
	return append(env, more...)
}
