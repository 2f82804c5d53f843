package fs

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

// stalled is a mount whose store does not answer until it is released, and that counts the interrupts it looked at.
type stalled struct {
	path    string // of a file whose data, and whose attributes, do not come
	began   chan struct{}
	release func()
	heeded  atomic.Int64
}

// stall mounts a world in which looking names up, or else reading, hangs.
func stall(t *testing.T, lookups bool) *stalled {
	t.Helper()
	w := newWorld()
	w.file(0, w.dir(0, w.scan(0, "host", "/home"), "sub"), "file", []byte("data"))
	s := &stalled{began: make(chan struct{}, 64)}
	released := make(chan struct{})
	s.release = sync.OnceFunc(func() { close(released) })
	hang := func(ctx context.Context) error {
		select {
		case s.began <- struct{}{}:
		default:
		}
		select {
		case <-released:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if lookups {
		w.looking = func(ctx context.Context, name string) error {
			if name != "file" {
				return nil
			}
			return hang(ctx)
		}
	} else {
		w.reading = func(ctx context.Context, _ *catalog.Entry) error { return hang(ctx) }
	}
	mountpoint := t.TempDir()
	f := newFilesystem(w, w, Options{Mountpoint: mountpoint, Log: slog.New(slog.DiscardHandler), Interval: time.Hour, ListingBytes: 1 << 20, Location: time.UTC})
	f.heed = func(pid uint32) bool {
		defer s.heeded.Add(1)
		return heedInterrupt(mountpoint, pid)
	}
	if err := f.scans.first(t.Context()); err != nil {
		t.Fatal(err)
	}
	done, err := Serve(f, mountpoint, KernelOptions("test", false, f.log))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.release()
		if err := Unmount(mountpoint, true); err != nil {
			t.Errorf("unmount: %v", err)
		}
		<-done
		f.scans.close()
	})
	s.path = mountpoint + "/0/sub/file"
	return s
}

// signalled runs call in a thread that gets a signal which this program handles, while call waits for the server.
func (s *stalled) signalled(t *testing.T, call func() error) error {
	t.Helper()
	got := make(chan os.Signal, 64)
	signal.Notify(got, syscall.SIGUSR1)
	defer signal.Stop(got)
	thread, result := make(chan int, 1), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		thread <- unix.Gettid()
		result <- call()
	}()
	tid := <-thread
	<-s.began
	if err := unix.Tgkill(os.Getpid(), tid, unix.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server was told of the signal", func() bool { return s.heeded.Load() > 0 })
	s.release()
	return <-result
}

func TestHandledSignalDoesNotInterruptARead(t *testing.T) {
	s := stall(t, false)
	fd, err := unix.Open(s.path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_DIRECT, 0) // else the kernel reads ahead, which nobody interrupts
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unix.Close(fd) }()
	buf, n := make([]byte, 4096), 0
	err = s.signalled(t, func() (err error) {
		n, err = unix.Pread(fd, buf, 0)
		return err
	})
	if err != nil || string(buf[:n]) != "data" {
		t.Errorf("a read during which a signal came: %q, %v", buf[:n], err)
	}
}

func TestHandledSignalDoesNotInterruptALookup(t *testing.T) {
	s := stall(t, true)
	var st unix.Stat_t
	if err := s.signalled(t, func() error { return unix.Lstat(s.path, &st) }); err != nil || st.Size != 4 {
		t.Errorf("lstat during which a signal came: size %d, %v", st.Size, err)
	}
}

func TestDeadlySignalEndsALookupEvenAfterAHarmlessOne(t *testing.T) {
	s := stall(t, true)
	sh := exec.Command("sh", "-c", `trap : USR1; read -r line <"$0"`, s.path)
	if err := sh.Start(); err != nil {
		t.Fatal(err)
	}
	<-s.began
	if err := sh.Process.Signal(syscall.SIGUSR1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the server was told of the signal", func() bool { return s.heeded.Load() > 0 })
	if err := sh.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err := sh.Wait() // for ever, if the request does not end
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGTERM {
		t.Errorf("sh ended with %v, want terminated", err)
	}
}

func TestDyingIsHavingADeadlySignalPending(t *testing.T) {
	status := func(thread, process, blocked, ignored, caught string) string {
		return "Name:\tcp\nSigPnd:\t" + thread + "\nShdPnd:\t" + process + "\nSigBlk:\t" + blocked + "\nSigIgn:\t" + ignored + "\nSigCgt:\t" + caught + "\nCapInh:\t0\n"
	}
	const none = "0000000000000000"
	for what, c := range map[string]struct {
		status string
		want   bool
	}{
		"nothing pending":              {status(none, none, none, none, none), false},
		"killed":                       {status("0000000000000100", none, none, none, none), true},
		"SIGQUIT for the process":      {status(none, "0000000000000004", none, none, none), true},
		"SIGINT caught":                {status(none, "0000000000000002", none, none, "0000000000000002"), false},
		"SIGTERM blocked":              {status(none, "0000000000004000", "0000000000004000", none, none), false},
		"SIGHUP ignored":               {status("0000000000000001", none, none, "0000000000000001", none), false},
		"SIGCHLD by default":           {status(none, "0000000000010000", none, none, none), false},
		"SIGTSTP by default":           {status(none, "0000000000080000", none, none, none), false},
		"SIGINT caught, then SIGKILL":  {status("0000000000000100", "0000000000000002", none, none, "0000000000000002"), true},
		"a real-time signal":           {status(none, "8000000000000000", none, none, none), true},
		"no status":                    {"", true},
		"a status that cannot be read": {status("x", none, none, none, none), true},
	} {
		if got := dying([]byte(c.status)); got != c.want {
			t.Errorf("%s: %v", what, got)
		}
	}
}
