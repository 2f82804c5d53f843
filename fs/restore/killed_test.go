package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/cache"
	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/sqlite"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
	"github.com/bus3/bus3/test/tree"
)

// The environment of a process that restores until it is killed.
const (
	killedWorld = "BUS3_TEST_WORLD" // directory of the world; "": this is no such process
	killedKey   = "BUS3_TEST_KEY"
	killedAfter = "BUS3_TEST_CHUNKS" // how many chunks it is given before it is killed
)

// deadly is a reader that kills the process, in the middle of writing the last chunk that it gives.
type deadly struct {
	*cache.Reader
	left atomic.Int64
}

func (d *deadly) Chunk(ctx context.Context, p *catalog.Place, fn func(plain []byte) error) error {
	return d.Reader.Chunk(ctx, p, func(plain []byte) error {
		if d.left.Add(-1) > 0 {
			return fn(plain)
		}
		if err := fn(plain[:len(plain)/2]); err != nil {
			return err
		}
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // the signal may take a moment to arrive
	})
}

// TestMain is the process that is killed, if the environment says so.
func TestMain(m *testing.M) {
	if dir := os.Getenv(killedWorld); dir != "" {
		fmt.Fprintln(os.Stderr, restoreUntilKilled(context.Background(), dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func restoreUntilKilled(ctx context.Context, dir string) error {
	after, err := strconv.ParseInt(os.Getenv(killedAfter), 10, 64)
	if err != nil {
		return err
	}
	id, err := repository.UnlockFile([]byte(os.Getenv(killedKey)+"\n"), nil)
	if err != nil {
		return err
	}
	store, err := s3store.Open(ctx, "file://"+filepath.Join(dir, "store"), s3store.Options{})
	if err != nil {
		return err
	}
	repo, err := repository.Open(ctx, store, id...)
	if err != nil {
		return err
	}
	cat, err := sqlite.Open(ctx, filepath.Join(dir, "catalog.db"), sqlite.Options{})
	if err != nil {
		return err
	}
	reader, err := cache.New(cat, store, repo.Keys(), cache.Options{})
	if err != nil {
		return err
	}
	d := &deadly{Reader: reader}
	d.left.Store(after)
	_, err = Run(ctx, cat, d, Options{Dest: filepath.Join(dir, "dest")})
	return errors.Join(errors.New("it was not killed"), err)
}

func TestAKilledRestoreIsFinishedByTheNext(t *testing.T) {
	w := newWorld(t)
	data := noise(9<<20, 1)
	for i := range 60 {
		write(t, filepath.Join(w.root, strconv.Itoa(i%7), strconv.Itoa(i)), data[i*100:][:2000+i])
	}
	write(t, filepath.Join(w.root, "large"), data)
	must(t, os.Symlink("large", filepath.Join(w.root, "symlink")))
	must(t, os.Link(filepath.Join(w.root, "large"), filepath.Join(w.root, "0", "link")))
	must(t, unix.Setxattr(filepath.Join(w.root, "0", "0"), "user.bus3", []byte("1"), 0))
	want := record(t, w.root)
	scan := w.backup()
	for _, after := range []string{"1", "20", "61"} {
		t.Run(after, func(t *testing.T) {
			dest := w.path("dest")
			must(t, os.RemoveAll(dest))
			cmd := exec.CommandContext(t.Context(), os.Args[0])
			cmd.Env = append(os.Environ(), killedWorld+"="+w.dir, killedKey+"="+w.key.String(), killedAfter+"="+after)
			out, err := cmd.CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
				t.Fatalf("it ended with %v\n%s", err, out)
			}
			unfinished := 0
			for _, e := range record(t, dest) {
				if random(filepath.Base(e.Path)) != "" {
					unfinished++
				} else if e.Kind == "file" {
					whole, err := os.ReadFile(filepath.Join(w.root, e.Path))
					must(t, err)
					holds(t, filepath.Join(dest, e.Path), whole)
				}
			}
			if unfinished == 0 {
				t.Error("nothing was left unfinished")
			}
			w.sound(Options{Scan: scan, Dest: dest})
			for _, line := range tree.Diff(want, record(t, dest), tree.Ignore{}) {
				t.Error(line)
			}
		})
	}
}

func TestWhatOthersDoIsNotTidied(t *testing.T) {
	w := newWorld(t)
	write(t, filepath.Join(w.root, "dir", "file"), []byte("1"))
	scan := w.backup()
	dest := w.path("dest")
	alive, err := temporaryPrefix()
	must(t, err)
	dead, err := temporaryPrefix()
	must(t, err)
	strange := []string{temporaryStart, alive + "1", dead, dead + "A", dead[:10] + "-1", temporaryStart + "0123456789AB-1", "x" + dead + "1"}
	for _, name := range append(strange, dead+"1", dead+"zz") {
		write(t, filepath.Join(dest, "dir", name), []byte("precious"))
	}
	must(t, os.Mkdir(filepath.Join(dest, "dir", dead+"2"), 0o755))
	fd, err := unix.Open(dest, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	must(t, err)
	defer unix.Close(fd) //nolint:errcheck // it was only locked
	(&run{prefix: alive}).announce(fd)
	w.sound(Options{Scan: scan, Dest: dest})
	left := strings.Join(names(t, filepath.Join(dest, "dir")), "\n") + "\n"
	for _, name := range append(strange, dead+"2") {
		if !strings.Contains(left, "\n"+name+"\n") && !strings.HasPrefix(left, name+"\n") {
			t.Errorf("%q is gone", name)
		}
	}
	for _, name := range []string{dead + "1", dead + "zz"} {
		if strings.Contains(left, "\n"+name+"\n") {
			t.Errorf("%q is still there", name)
		}
	}
}
