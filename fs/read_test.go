package fs

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
	"testing"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

// random makes the same bytes whenever it is called with the same seed.
func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(seed, 1))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

func TestReadsAtAllOffsetsGiveTheData(t *testing.T) {
	w := newWorld()
	top := w.scan(0, "host", "/home")
	data := random(1, 300_001)
	w.file(0, top, "file", data)
	holed := bytes.Clone(data)
	clear(holed[100_000:200_000])
	w.add(0, top, catalog.Entry{Name: "holed", Size: int64(len(data)), Content: w.content(0, map[int64][]byte{0: data[:100_000], 200_000: data[200_000:]})})
	m := w.mount(t, Options{})
	for name, want := range map[string][]byte{"file": data, "holed": holed} {
		f, err := os.Open(m.path("0", name))
		if err != nil {
			t.Fatal(err)
		}
		var group errgroup.Group
		for job := range uint64(4) {
			group.Go(func() error {
				r := rand.New(rand.NewPCG(2, job))
				for range 100 {
					off, n := r.IntN(len(want)+5000), r.IntN(70_000)
					buf := make([]byte, n)
					got, err := f.ReadAt(buf, int64(off))
					if err != nil && !errors.Is(err, io.EOF) {
						return err
					}
					if expected := want[min(off, len(want)):min(off+n, len(want))]; !bytes.Equal(buf[:got], expected) {
						return errors.New("other bytes")
					}
				}
				return nil
			})
		}
		if err := group.Wait(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if all, err := os.ReadFile(m.path("0", name)); err != nil || !bytes.Equal(all, want) {
			t.Errorf("%s as a whole: %d bytes, %v", name, len(all), err)
		}
	}
}

func TestHolesAreFoundByLseek(t *testing.T) {
	w := newWorld()
	top := w.scan(0, "host", "/home")
	const mib = 1 << 20
	w.add(0, top, catalog.Entry{Name: "holed", Size: 10 * mib, Content: w.content(0, map[int64][]byte{mib: random(1, mib), 5 * mib: random(2, mib)})})
	w.add(0, top, catalog.Entry{Name: "hole", Size: mib})
	w.file(0, top, "full", random(3, mib))
	m := w.mount(t, Options{})
	type seek struct {
		name   string
		off    int64
		whence int
		want   int64
		err    error
	}
	for _, s := range []seek{
		{"holed", 0, unix.SEEK_DATA, mib, nil},
		{"holed", 0, unix.SEEK_HOLE, 0, nil},
		{"holed", mib + 5, unix.SEEK_DATA, mib + 5, nil},
		{"holed", mib + 5, unix.SEEK_HOLE, 2 * mib, nil},
		{"holed", 3 * mib, unix.SEEK_DATA, 5 * mib, nil},
		{"holed", 6 * mib, unix.SEEK_DATA, 0, syscall.ENXIO},
		{"holed", 5 * mib, unix.SEEK_HOLE, 6 * mib, nil},
		{"holed", 10 * mib, unix.SEEK_HOLE, 0, syscall.ENXIO},
		{"hole", 0, unix.SEEK_DATA, 0, syscall.ENXIO},
		{"hole", 5, unix.SEEK_HOLE, 5, nil},
		{"full", 7, unix.SEEK_DATA, 7, nil},
		{"full", 7, unix.SEEK_HOLE, mib, nil},
	} {
		fd, err := unix.Open(m.path("0", s.name), unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		got, err := unix.Seek(fd, s.off, s.whence)
		if !errors.Is(err, s.err) || err == nil && got != s.want {
			t.Errorf("%+v: %d, %v", s, got, err)
		}
		_ = unix.Close(fd)
	}
}

func TestProgramRunsFromTheMount(t *testing.T) {
	program, err := exec.LookPath("true")
	if err != nil {
		t.Fatal(err)
	}
	code, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	top := w.scan(0, "host", "/home")
	w.add(0, top, catalog.Entry{Name: "true", Mode: 0o755, Size: int64(len(code)), Chunk: w.chunk(0, code)})
	m := w.mount(t, Options{})
	// A shell runs it: while this process starts another, it could not serve the pages of the new one's program.
	if out, err := exec.Command("/bin/sh", "-c", `"$0" && cmp "$0" "$1"`, m.path("0", "true"), program).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestUnreadableFileIsAnErrorAndNotEmpty(t *testing.T) {
	w := newWorld()
	top := w.scan(0, "host", "/home")
	w.add(0, top, catalog.Entry{Name: "unreadable", Size: 10_000, Flags: catalog.Unreadable})
	w.add(0, top, catalog.Entry{Name: "lost", Size: 10_000, Flags: catalog.Lost})
	w.add(0, top, catalog.Entry{Name: "mixed", Size: 4, Chunk: w.chunk(0, []byte("data")), Flags: catalog.Inconsistent})
	m := w.mount(t, Options{})
	for _, name := range []string{"unreadable", "lost"} {
		if _, err := os.ReadFile(m.path("0", name)); !errors.Is(err, syscall.EIO) {
			t.Errorf("%s: %v, want EIO", name, err)
		}
		if out, err := exec.Command("cp", "--sparse=auto", m.path("0", name), t.TempDir()).CombinedOutput(); err == nil {
			t.Errorf("cp of %s went well: %s", name, out)
		}
	}
	if data, err := os.ReadFile(m.path("0", "mixed")); err != nil || string(data) != "data" {
		t.Errorf("the inconsistent file: %q, %v", data, err)
	}
}

func TestFailedReadIsAnInputOutputErrorOnceAndLoggedWithItsPath(t *testing.T) {
	w := newWorld()
	sub := w.dir(0, w.scan(0, "host", "/home"), "sub")
	w.file(0, sub, "file\n", []byte("data"))
	var away atomic.Bool
	w.reading = func(context.Context, *catalog.Entry) error {
		if away.Load() {
			return errors.New("the store is away")
		}
		return nil
	}
	m := w.mount(t, Options{})
	away.Store(true)
	if _, err := os.ReadFile(m.path("0", "sub", "file\n")); !errors.Is(err, syscall.EIO) {
		t.Errorf("while the store is away: %v, want EIO", err)
	}
	if !m.log.contains(`0/sub/file\\n`) || !m.log.contains("the store is away") {
		t.Errorf("the log names neither path nor reason: %s", m.log.buf.String())
	}
	away.Store(false)
	if data, err := os.ReadFile(m.path("0", "sub", "file\n")); err != nil || string(data) != "data" {
		t.Errorf("when the store is back: %q, %v", data, err)
	}
}

func TestFailedListingIsAnInputOutputErrorOnce(t *testing.T) {
	w := newWorld()
	w.file(0, w.dir(0, w.scan(0, "host", "/home"), "sub"), "file", []byte("data"))
	m := w.mount(t, Options{})
	lstat(t, m.path("0", "sub"))
	w.breakWith(errors.New("the database is away"))
	if _, err := os.ReadDir(m.path("0", "sub")); !errors.Is(err, syscall.EIO) {
		t.Errorf("while the database is away: %v, want EIO", err)
	}
	w.breakWith(nil)
	if names, err := os.ReadDir(m.path("0", "sub")); err != nil || len(names) != 1 {
		t.Errorf("when it is back: %v, %v", names, err)
	}
}

func TestInterruptedReadEndsAtOnce(t *testing.T) {
	w := newWorld()
	w.file(0, w.scan(0, "host", "/home"), "file", []byte("data"))
	began, ended := make(chan struct{}, 16), make(chan struct{}, 16)
	w.reading = func(ctx context.Context, _ *catalog.Entry) error {
		began <- struct{}{}
		<-ctx.Done()
		ended <- struct{}{}
		return ctx.Err()
	}
	m := w.mount(t, Options{})
	cat := exec.Command("cat", m.path("0", "file"))
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	<-began
	if err := cat.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	err := cat.Wait() // for ever, if the read does not end
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGINT {
		t.Errorf("cat ended with %v, want interrupt", err)
	}
	if err := Unmount(m.Mountpoint(), true); err != nil {
		t.Error(err)
	}
	<-ended
	m.Wait()
}
