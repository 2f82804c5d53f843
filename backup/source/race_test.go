package source

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// prepared is a tree of a directory "d" and a file "f", each with something in it, and what was listed.
func prepared(t *testing.T) (dir string, src *Tree, root *Dir, d, f *Stat) {
	t.Helper()
	dir = t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "d"), 0o755))
	must(t, os.WriteFile(filepath.Join(dir, "d", "inside"), []byte("inside"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "f"), []byte("content"), 0o644))
	src = open(t, dir, Options{})
	root, stats := list(t, src)
	return dir, src, root, &stats[0], &stats[1]
}

func TestWhatIsReplacedHasVanished(t *testing.T) {
	elsewhere := t.TempDir()
	must(t, os.WriteFile(filepath.Join(elsewhere, "inside"), []byte("a secret"), 0o600))
	for what, replace := range map[string]func(path string) error{
		"nothing":         func(string) error { return nil },
		"symlink to file": func(path string) error { return os.Symlink(filepath.Join(elsewhere, "inside"), path) },
		"symlink to dir":  func(path string) error { return os.Symlink(elsewhere, path) },
		"FIFO":            func(path string) error { return unix.Mkfifo(path, 0o600) },
		"file":            func(path string) error { return os.WriteFile(path, []byte("another"), 0o600) },
		"directory":       func(path string) error { return os.Mkdir(path, 0o755) },
	} {
		for _, stepwise := range []bool{false, true} {
			dir, src, root, d, f := prepared(t)
			src.beneath = !stepwise
			_, inside := list(t, src, "d")
			for _, name := range []string{"d", "f"} {
				must(t, os.Rename(filepath.Join(dir, name), filepath.Join(dir, name+" kept, so that its inode is not used again")))
				must(t, replace(filepath.Join(dir, name)))
			}
			if _, _, err := src.List(context.Background(), root.Child("d"), d); !errors.Is(err, ErrVanished) {
				t.Errorf("%s for a directory: List: %v", what, err)
			}
			if _, err := src.OpenFile(root, f); !errors.Is(err, ErrVanished) {
				t.Errorf("%s for a file: OpenFile: %v", what, err)
			}
			if _, err := src.OpenFile(root.Child("d"), &inside[0]); !errors.Is(err, ErrVanished) {
				t.Errorf("%s for the directory of a file: OpenFile: %v", what, err)
			}
			if _, _, err := src.Attributes(root, f); !errors.Is(err, ErrVanished) {
				t.Errorf("%s for a file: Attributes: %v", what, err)
			}
			now, err := src.Stat(root, "f")
			if what == "nothing" && !errors.Is(err, ErrVanished) || what != "nothing" && (err != nil || now.Ino == f.Ino) {
				t.Errorf("%s for a file: Stat: %+v, %v", what, now, err)
			}
		}
	}
}

func TestAFileThatChangesIsNoticed(t *testing.T) {
	for what, change := range map[string]func(path string) error{
		"grown":     func(path string) error { return appendTo(path, "more") },
		"shrunk":    func(path string) error { return os.Truncate(path, 3) },
		"rewritten": func(path string) error { return os.WriteFile(path, []byte("CONTENT"), 0) },
		"chmod":     func(path string) error { return os.Chmod(path, 0o600) },
	} {
		dir, src, root, _, f := prepared(t)
		file, err := src.OpenFile(root, f)
		must(t, err)
		if _, changed, err := file.Changed(); changed || err != nil {
			t.Errorf("%s: changed before it was: %v", what, err)
		}
		must(t, change(filepath.Join(dir, "f")))
		now, changed, err := file.Changed()
		if !changed || err != nil {
			t.Errorf("%s: not noticed: %v", what, err)
		}
		if now != file.Stat() {
			t.Errorf("%s: Stat is not what Changed told", what)
		}
		if _, changed, err := file.Changed(); changed || err != nil {
			t.Errorf("%s: noticed twice: %v", what, err)
		}
		must(t, file.Close())
	}
}

func TestAFileThatIsBeingWrittenIsNotTrusted(t *testing.T) {
	_, src, root, _, f := prepared(t)
	file, err := src.OpenFile(root, f)
	must(t, err)
	file.restless = true // as if a writer had left no tick of the clock without a change
	if _, changed, err := file.Changed(); !changed || err != nil {
		t.Errorf("time stamps that could not have moved are believed: %v", err)
	}
	if _, changed, err := file.Changed(); changed || err != nil {
		t.Errorf("it is quiet now: %v", err)
	}
	must(t, file.Close())
}

func TestReadingEndsWhereTheFileEnds(t *testing.T) {
	dir, src, root, _, f := prepared(t)
	file, err := src.OpenFile(root, f)
	must(t, err)
	defer file.Close() //nolint:errcheck // nothing was written
	must(t, os.Truncate(filepath.Join(dir, "f"), 3))
	buf := make([]byte, 7)
	if n, err := file.ReadAt(buf, 0); n != 3 || !errors.Is(err, io.EOF) {
		t.Errorf("read %d, %v", n, err)
	}
	if _, _, err := file.NextExtent(5); !errors.Is(err, io.EOF) {
		t.Errorf("an extent behind the end: %v", err)
	}
	if start, end, err := file.allData(1); start != 1 || end != 3 || err != nil {
		t.Errorf("without holes: %d to %d, %v", start, end, err)
	}
	if _, _, err := file.allData(3); !errors.Is(err, io.EOF) {
		t.Errorf("without holes, behind the end: %v", err)
	}
}

func TestALeaseIsWaitedFor(t *testing.T) {
	dir, src, root, _, f := prepared(t)
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, unix.SIGIO)
	defer signal.Stop(asked)
	holder, err := os.OpenFile(filepath.Join(dir, "f"), os.O_RDWR, 0)
	must(t, err)
	defer holder.Close() //nolint:errcheck // nothing was written
	if _, err := unix.FcntlInt(holder.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skipf("this file system has no leases: %v", err)
	}
	returned := make(chan error, 1)
	go func() {
		<-asked
		_, err := unix.FcntlInt(holder.Fd(), unix.F_SETLEASE, unix.F_UNLCK)
		returned <- err
	}()
	file, err := src.OpenFile(root, f)
	must(t, err)
	must(t, <-returned)
	buf := make([]byte, 7)
	if _, err := file.ReadAt(buf, 0); err != nil || string(buf) != "content" {
		t.Errorf("read %q, %v", buf, err)
	}
	must(t, file.Close())
}

func TestReadingLeavesNoTrace(t *testing.T) {
	dir, src, root, _, f := prepared(t)
	path := filepath.Join(dir, "f")
	old := unix.Timespec{Sec: 1_000_000_000}
	must(t, unix.UtimesNanoAt(unix.AT_FDCWD, path, []unix.Timespec{old, {Nsec: unix.UTIME_OMIT}}, 0))
	file, err := src.OpenFile(root, f)
	must(t, err)
	if _, err := file.ReadAt(make([]byte, 7), 0); err != nil {
		t.Error(err)
	}
	must(t, file.Close())
	var st unix.Stat_t
	must(t, unix.Stat(path, &st))
	if st.Atim != old {
		t.Errorf("the access time is %v", st.Atim)
	}
}

func appendTo(path, text string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	return errors.Join(err, f.Close())
}
