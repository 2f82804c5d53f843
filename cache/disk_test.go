package cache

import (
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/bus3/bus3/catalog"
)

// onDisk lists the blocks in a directory.
func onDisk(t *testing.T, dir string) (names []string, size int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && isBlock(e.Name()) {
			names = append(names, name)
			info, err := e.Info()
			if err != nil {
				return err
			}
			size += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names, size
}

// fill reads a world of one pack into a disk cache.
func fill(t *testing.T, dir string) (w *world, e catalog.Entry, data []byte) {
	w = newWorld(t)
	data = noise(6<<20, 1)
	e = w.large("f", int64(len(data)), 700_000, span{0, data})
	w.ready()
	r := w.reader(Options{Dir: dir, NoReadAhead: true})
	readAll(t, r, &e, data, 1<<20)
	eventually(t, "that all blocks are on disk", func() bool { names, _ := onDisk(t, dir); return len(names) == 2 })
	return w, e, data
}

func TestTheDiskCacheSurvivesARestart(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "when needed")
	w, e, data := fill(t, dir)
	before := w.gets.Load()
	readAll(t, w.reader(Options{Dir: dir}), &e, data, 1<<20)
	if n := w.gets.Load() - before; n != 0 {
		t.Errorf("%d GETs for what is on disk", n)
	}
}

func TestADamagedDiskCacheIsReadPast(t *testing.T) {
	for name, harm := range map[string]func(t *testing.T, name string){
		"flipped": func(t *testing.T, name string) {
			b, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for i := 0; i < len(b); i += 100_000 {
				b[i] ^= 1
			}
			if err := os.WriteFile(name, b, 0o600); err != nil {
				t.Fatal(err)
			}
		},
		"cut":   func(t *testing.T, name string) { try(t, os.Truncate(name, 1000)) },
		"empty": func(t *testing.T, name string) { try(t, os.Truncate(name, 0)) },
		"directory": func(t *testing.T, name string) {
			try(t, os.Remove(name))
			try(t, os.Mkdir(name, 0o700))
		},
		"fifo-like symlink": func(t *testing.T, name string) {
			try(t, os.Remove(name))
			try(t, os.Symlink("/dev/zero", name))
		},
		"gone": func(t *testing.T, name string) { try(t, os.Remove(name)) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			w, e, data := fill(t, dir)
			names, _ := onDisk(t, dir)
			for _, n := range names {
				harm(t, n)
			}
			readAll(t, w.reader(Options{Dir: dir}), &e, data, 1<<20)
		})
	}
}

func try(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestABrokenDiskIsDoneWithout(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a file")
	try(t, os.WriteFile(file, nil, 0o600))
	for _, dir := range []string{file, filepath.Join(file, "below"), "/proc/nowhere", "/dev/full"} {
		w := newWorld(t)
		data := noise(1<<20, 1)
		e := w.large("f", int64(len(data)), 700_000, span{0, data})
		w.ready()
		readAll(t, w.reader(Options{Dir: dir}), &e, data, 1<<20)
	}
}

func TestTheDiskCacheKeepsItsLimitAndWhatWasUsedLast(t *testing.T) {
	dir := t.TempDir()
	d := openDisk(dir, 10_000, newPool())
	write := func(n uint32) {
		buf, err := d.pool.get(1000)
		try(t, err)
		try(t, d.keep(offer{key{form: block, number: n}, &resident{buf: buf, data: buf.bytes[:1000]}}))
		buf.release()
	}
	stamp := func(n uint32, age time.Duration) {
		at := time.Now().Add(-age)
		try(t, os.Chtimes(d.name(key{number: n}), at, at))
	}
	for n := range uint32(20) {
		write(n)
		stamp(n, time.Duration(100-n)*time.Hour)
	}
	if r := d.get(key{number: 3}, 1000); r == nil { // used: it is young again
		t.Fatal("a block is not there")
	}
	other := filepath.Join(dir, "not ours")
	try(t, os.WriteFile(other, make([]byte, 50_000), 0o600))
	stale := filepath.Join(dir, "00", temporary+"1")
	try(t, os.WriteFile(stale, nil, 0o600))
	old := time.Now().Add(-2 * staleAfter)
	try(t, os.Chtimes(stale, old, old))
	d.sweep(t.Context())
	names, size := onDisk(t, dir)
	if size > d.limit || len(names) < 5 || d.size.Load() != size {
		t.Errorf("%d blocks, %d bytes, limit %d, counted %d", len(names), size, d.limit, d.size.Load())
	}
	for _, n := range []uint32{3, 19} {
		if d.get(key{number: n}, 1000) == nil {
			t.Errorf("block %d was used lately, and is gone", n)
		}
	}
	if d.get(key{number: 0}, 1000) != nil {
		t.Error("the oldest block is still there")
	}
	if _, err := os.Stat(other); err != nil {
		t.Error("somebody else's file is gone")
	}
	if _, err := os.Stat(stale); err == nil {
		t.Error("an unfinished block of long ago is still there")
	}
}

func TestSeveralCachesShareADirectory(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t)
	data := noise(9<<20, 1)
	e := w.large("f", int64(len(data)), 700_000, span{0, data})
	w.ready()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 3 {
				r, err := New(w, w, w.keys, Options{Dir: dir, DiskBytes: 6 << 20})
				if err != nil {
					t.Error(err)
					return
				}
				readAll(t, r, &e, data, 500_000)
				w.close(r)
			}
		})
	}
	wg.Wait()
}
