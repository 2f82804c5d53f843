package backup

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/s3store/repository"
	"github.com/bus3/bus3/test/quick"
)

func nanos(n int64) time.Time { return time.Unix(0, n) }

func random(n int, seed uint64) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)}).Read(b)
	return b
}

func TestAllKindsOfThings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("file", "x")
	w.write("empty", "")
	w.write("\xff\xfe not UTF-8\n\"quoted\"", "x")
	w.write("-rf", "x")
	must(t, os.Symlink("dangling", w.path("symlink")))
	must(t, syscall.Mkfifo(w.path("fifo"), 0o600))
	must(t, unix.Mknod(w.path("socket"), unix.S_IFSOCK|0o600, 0))
	must(t, os.Chmod(w.path("file"), 0o644|os.ModeSetuid))
	must(t, os.Chmod(w.root, 0o777|os.ModeSticky))
	must(t, unix.Lsetxattr(w.path("file"), "user.one", []byte("1"), 0))
	must(t, unix.Lsetxattr(w.root, "user.root", []byte("2"), 0))
	must(t, os.Chtimes(w.path("file"), nanos(-1e18-7), nanos(-1e18-7)))
	w.again()
	if s := w.again(); s.Counts.EntriesOpened != 0 {
		t.Fatalf("%+v", s.Counts)
	}
	must(t, unix.Lsetxattr(w.path("file"), "user.one", []byte("other"), 0))
	if s := w.again(); s.Counts.EntriesOpened != 1 || s.Counts.EntriesClosed != 1 {
		t.Fatalf("%+v", s.Counts)
	}
}

func TestHardLinksStayOneFile(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("a/one", "linked")
	w.write("large", string(random(3<<20, 1)))
	w.mkdir("b")
	w.link("a/one", "b/two")
	w.link("a/one", "zzz")
	w.link("large", "b/large")
	s := w.again()
	if s.Counts.BytesRead != 6+3<<20 {
		t.Fatalf("%d bytes were read: each file is read once", s.Counts.BytesRead)
	}
	w.link("zzz", "b/three")
	w.again()
	w.write("zzz", "changed")
	w.again()
	w.remove("a")
	w.again()
	w.rename("b", "c")
	w.rename("c/two", "two")
	w.again()
}

func TestLargeFilesAndHoles(t *testing.T) {
	for name, c := range map[string]repository.Chunking{
		"content-defined": {}, "small chunks": {Min: 4 << 10, Normal: 8 << 10, Max: 64 << 10}, "fixed": {Fixed: 64 << 10}, "large fixed": {Fixed: 16 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := makeWorld(t, quick.Tree(t), c)
			w.write("4 MiB", string(random(4<<20, 1)))
			w.write("1 MiB", string(random(1<<20, 2)))
			w.write("1 MiB and 1", string(random(1<<20+1, 3)))
			w.write("300 KiB", string(random(300<<10, 4)))
			w.write("zeros", string(make([]byte, 3<<20)))
			f, err := os.Create(w.path("sparse"))
			must(t, err)
			for _, at := range []int64{1 << 20, 9 << 20, 20 << 20} {
				_, err = f.WriteAt(random(100<<10, uint64(at)), at)
				must(t, err)
			}
			must(t, f.Truncate(30<<20))
			must(t, f.Close())
			f, err = os.Create(w.path("hole"))
			must(t, err)
			must(t, f.Truncate(50<<20))
			must(t, f.Close())
			w.again()
		})
	}
}

func TestEqualFilesAreStoredOnce(t *testing.T) {
	t.Parallel()
	w := newQuickWorld(t)
	data := random(6<<20, 9)
	for i := range 2 {
		w.write(fmt.Sprintf("large%d", i), string(data))
	}
	for i := range 500 {
		w.write(fmt.Sprintf("small/%d", i), "the same")
	}
	s := w.again()
	if s.Counts.BytesNew != int64(len(data)+len("the same")) {
		t.Fatalf("%d bytes were new", s.Counts.BytesNew)
	}
	w.write("once more", string(data))
	if s := w.again(); s.Counts.BytesNew != 0 {
		t.Fatalf("%d bytes were new", s.Counts.BytesNew)
	}
	w.write("a bit more", string(append([]byte("insert"), data...)))
	if s := w.again(); s.Counts.BytesNew > 5<<20 {
		t.Fatalf("%d bytes were new", s.Counts.BytesNew)
	}
}

func TestUnchangedTreeCostsTwoObjects(t *testing.T) {
	t.Parallel()
	w := newQuickWorld(t)
	for i := range 400 {
		w.write(fmt.Sprintf("d%d/f%d", i%9, i), fmt.Sprint(i))
	}
	w.again()
	w.store.reset()
	s := w.backup()
	if c := s.Counts; len(w.store.puts) != 2 || w.store.others != 0 || c.EntriesOpened+c.EntriesClosed != 0 || c.Unchanged != 410 || c.Objects != 2 {
		t.Fatalf("%v, %d other requests, %+v", w.store.puts, w.store.others, c)
	}
}

func TestChunksOfADirectoryLieInTheOrderOfItsNames(t *testing.T) {
	t.Parallel()
	w := newQuickWorld(t)
	for d := range 5 {
		for f := range 150 {
			w.write(fmt.Sprintf("d%d/f%04d", d, f), string(random(3000, uint64(d*1000+f))))
		}
	}
	scan := w.again().Scan
	for d := range 5 {
		dir := w.lookup(scan, fmt.Sprintf("d%d", d), "")
		var before int64
		for f := range 150 {
			e, err := w.cat.Lookup(t.Context(), scan, dir.Ino, fmt.Sprintf("f%04d", f))
			must(t, err)
			if int64(e.Chunk) <= before {
				t.Fatalf("chunk %s of file %d follows %d", e.Chunk, f, before)
			}
			before = int64(e.Chunk)
		}
	}
}

func TestNothingInTheStoreIsReadable(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.write("a-telling-name", "a telling content, a telling content")
	w.again()
	must(t, filepath.Walk(filepath.Join(w.dir, "store"), func(path string, i os.FileInfo, err error) error {
		if err != nil || i.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte("telling")) {
			t.Errorf("%s tells", path)
		}
		return err
	}))
}
