package test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bus3/bus3/test/pgtest"
	"github.com/bus3/bus3/test/versity"
)

// patience is how long a test waits for something that comes soon on any machine.
const patience = 2 * time.Minute

// shared is what all tests of the package use: the program, and servers once one is needed.
type shared struct {
	dir     string
	program string

	mu  sync.Mutex
	pg  *pgtest.Server
	s3  *versity.Server
	all map[string]string // trees that were made, by name
}

var stage shared

func TestMain(m *testing.M) {
	os.Exit(func() int {
		if err := stage.open(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer stage.close()
		return m.Run()
	}())
}

// open builds the program that the tests run, where every user can run it.
func (s *shared) open() (err error) {
	if s.dir, err = os.MkdirTemp("", "bus3-test-"); err != nil {
		return err
	}
	if err := os.Chmod(s.dir, 0o755); err != nil {
		return err
	}
	s.program = filepath.Join(s.dir, "bus3")
	s.all = map[string]string{}
	build := exec.Command("go", "build", "-o", s.program, "./cmd/bus3")
	build.Dir = ".."
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build bus3: %w\n%s", err, out)
	}
	return nil
}

func (s *shared) close() {
	if s.pg != nil {
		if err := s.pg.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	if s.s3 != nil {
		s.s3.Close()
	}
	if err := os.RemoveAll(s.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

func (s *shared) postgres(t *testing.T) *pgtest.Server {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pg == nil {
		pg, err := pgtest.Start()
		if err != nil {
			t.Fatal(err)
		}
		s.pg = pg
	}
	return s.pg
}

func (s *shared) versity(t *testing.T) *versity.Server {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.s3 == nil {
		dir := filepath.Join(s.dir, "s3")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		s3, err := versity.Start(context.Background(), dir)
		if err != nil {
			t.Fatal(err)
		}
		s.s3 = s3
	}
	return s.s3
}

// tree returns a directory that make filled, once for all tests. Nobody may change it.
func (s *shared) tree(t *testing.T, name string, make func(dir string) error) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.all[name] == "" {
		dir := filepath.Join(s.dir, "trees", name)
		if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := make(dir); err != nil {
			t.Fatal(err)
		}
		s.all[name] = dir
	}
	return s.all[name]
}

// combination is a catalog and a store.
type combination struct{ postgres, s3 bool }

func (c combination) String() string {
	name := "sqlite+"
	if c.postgres {
		name = "postgres+"
	}
	if c.s3 {
		return name + "s3"
	}
	return name + "file"
}

// everywhere runs a test on all four combinations, at once.
func everywhere(t *testing.T, test func(t *testing.T, r *rig)) {
	on(t, []combination{{false, false}, {true, false}, {false, true}, {true, true}}, test)
}

// onBoth runs a test on the two that have nothing in common.
func onBoth(t *testing.T, test func(t *testing.T, r *rig)) {
	on(t, []combination{{false, false}, {true, true}}, test)
}

func on(t *testing.T, all []combination, test func(t *testing.T, r *rig)) {
	t.Parallel()
	for _, c := range all {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, c)
			r.bus3("init")
			test(t, r)
		})
	}
}

// rig is a user with a home, a store and a catalog.
type rig struct {
	t       *testing.T
	dir     string // everything of the rig is below it
	home    string
	store   string   // URL
	objects string   // directory with the store's objects as files
	env     []string // without HOME
	run     func(cmd *exec.Cmd)
}

// newRig makes one with a store and a catalog that nobody else uses, and which are not initialised yet.
func newRig(t *testing.T, c combination) *rig {
	t.Helper()
	r := bareRig(t)
	r.objects = filepath.Join(r.dir, "store")
	r.store = "file://" + r.objects
	if c.s3 {
		s3 := stage.versity(t)
		bucket := s3.Bucket(t)
		r.store, r.objects = s3.URL(bucket), filepath.Join(s3.Data(), bucket)
		r.env = append(r.env, s3.Admin.Env()...)
	}
	catalog := "sqlite://" + filepath.Join(r.dir, "catalog.db")
	if c.postgres {
		catalog = stage.postgres(t).Database(t)
	}
	r.env = append(r.env, "BUS3_STORE="+r.store, "BUS3_CATALOG="+catalog)
	return r
}

// bareRig is one for which nothing is configured.
func bareRig(t *testing.T) *rig {
	t.Helper()
	dir, err := os.MkdirTemp(stage.dir, "rig-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// A mount's process may still be putting its caches away when the mount is gone.
		until(t, "the rig is removed", func() bool { return os.RemoveAll(dir) == nil })
	})
	r := &rig{t: t, dir: dir, home: filepath.Join(dir, "home"), run: func(*exec.Cmd) {}}
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "BUS3_") && !strings.HasPrefix(name, "XDG_") && !strings.HasPrefix(name, "AWS_") && name != "HOME" {
			r.env = append(r.env, pair)
		}
	}
	r.env = append(r.env, "TZ=UTC")
	if err := os.Mkdir(r.home, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return r
}

// with is the rig with more environment: "NAME=value" replaces, "NAME=" takes away.
func (r *rig) with(pairs ...string) *rig {
	c := *r
	c.env = append(append([]string(nil), r.env...), pairs...)
	return &c
}

// path is below the rig's own directory.
func (r *rig) path(parts ...string) string {
	return filepath.Join(append([]string{r.dir}, parts...)...)
}

// command is a bus3 command that has not been started.
func (r *rig) command(args ...string) *exec.Cmd {
	cmd := exec.Command(stage.program, args...)
	cmd.Env = append(append([]string(nil), r.env...), "HOME="+r.home)
	cmd.Dir = r.dir
	r.run(cmd)
	return cmd
}

// try runs bus3 and returns what it printed and its exit code.
func (r *rig) try(args ...string) (stdout, stderr string, code int) {
	r.t.Helper()
	return r.tryWith("", args...)
}

// tryWith is try with something on standard input.
func (r *rig) tryWith(input string, args ...string) (stdout, stderr string, code int) {
	r.t.Helper()
	cmd := r.command(args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if input != "" {
		cmd.Stdin = strings.NewReader(input)
	}
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatalf("bus3 %q: %v", args, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// bus3 runs bus3, which must succeed, and returns what it printed.
func (r *rig) bus3(args ...string) string {
	r.t.Helper()
	stdout, stderr, code := r.try(args...)
	if code != 0 {
		r.t.Fatalf("bus3 %q ended with code %d:\n%s%s", args, code, stdout, stderr)
	}
	return stdout
}

// fails runs bus3, which must end with that code and say that on standard error.
func (r *rig) fails(code int, says string, args ...string) {
	r.t.Helper()
	stdout, stderr, got := r.try(args...)
	if got != code || !strings.Contains(stderr, says) {
		r.t.Errorf("bus3 %q ended with code %d, want %d and %q:\n%s%s", args, got, code, says, stdout, stderr)
	}
}

// summary is the last line of `bus3 backup --json`.
type summary struct {
	Type          string `json:"message_type"`
	New           int64  `json:"new"`
	Changed       int64  `json:"changed"`
	Unchanged     int64  `json:"unchanged"`
	Removed       int64  `json:"removed"`
	BytesRead     int64  `json:"bytes_read"`
	DataAdded     int64  `json:"data_added"`
	DataPacked    int64  `json:"data_added_packed"`
	Objects       int64  `json:"objects_stored"`
	EntriesOpened int64  `json:"entries_opened"`
	EntriesClosed int64  `json:"entries_closed"`
	Problems      int64  `json:"problems"`
	Scan          int64  `json:"scan"`
	State         string `json:"state"`
}

// backup backs a directory up, completely, and returns the summary.
func (r *rig) backup(args ...string) summary {
	r.t.Helper()
	s := r.parse(r.bus3(append([]string{"backup", "--json"}, args...)...))
	if s.State != "complete" {
		r.t.Fatalf("the backup is %q", s.State)
	}
	return s
}

func (r *rig) parse(out string) summary {
	r.t.Helper()
	lines := strings.Split(strings.TrimSpace(out), "\n")
	var s summary
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &s); err != nil || s.Type != "summary" {
		r.t.Fatalf("no summary: %v\n%s", err, out)
	}
	return s
}

// mount mounts until the end of the test, and returns the mountpoint.
func (r *rig) mount(args ...string) string {
	r.t.Helper()
	point, err := os.MkdirTemp(r.dir, "mnt-")
	if err != nil {
		r.t.Fatal(err)
	}
	r.bus3(append([]string{"mount", "--background", point}, args...)...)
	r.t.Cleanup(func() {
		if stdout, stderr, code := r.try("umount", point); code != 0 {
			r.t.Errorf("umount: code %d\n%s%s", code, stdout, stderr)
			r.try("umount", "--lazy", point)
		}
	})
	return point
}

// until waits for a condition.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		if is() {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// sh runs another program, which must succeed, and returns what it printed.
func sh(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// write makes files, given as names and contents in turn.
func write(t *testing.T, dir string, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		name := filepath.Join(dir, pairs[i])
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(pairs[i+1]), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
