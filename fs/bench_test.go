package fs

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/sqlite"
)

// benchVariable makes the test program a server of the tree that the do-nothing server has, out of a real catalog.
const benchVariable = "BUS3_FS_BENCH_CATALOG"

// Shape of the tree, as that of the do-nothing server.
const (
	benchDirs  = 50
	benchFiles = 1000
	benchSize  = 4096
)

// blanks is a reader whose files are all zeros, at no cost.
type blanks struct{ *world }

func (blanks) ReadAt(_ context.Context, e *catalog.Entry, dst []byte, off int64) (int, error) {
	n := min(int64(len(dst)), e.Size-off)
	clear(dst[:n])
	return int(n), nil
}

func serveBench(mountpoint, path string) int {
	ctx := context.Background()
	cat, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err == nil {
		var s *Server
		if s, err = Mount(ctx, cat, blanks{}, Options{Mountpoint: mountpoint}); err == nil {
			_, _ = os.Stdout.WriteString("ready\n")
			s.Wait()
			err = cat.Close()
		}
	}
	if err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		return 1
	}
	return 0
}

// fillBench writes one scan of the tree into a catalog.
func fillBench(path string, scans int64) (err error) {
	ctx := context.Background()
	cat, err := sqlite.Open(ctx, path, sqlite.Options{})
	if err != nil {
		return err
	}
	defer func() {
		if cerr := cat.Close(); err == nil {
			err = cerr
		}
	}()
	if err := cat.Claim(ctx, catalog.RepositoryID{1}); err != nil {
		return err
	}
	for n := range scans {
		if err := fillScan(ctx, cat, n, n == 0); err != nil {
			return err
		}
	}
	return nil
}

func fillScan(ctx context.Context, cat *sqlite.Catalog, scan int64, full bool) error {
	counter := int64(0)
	id := func() catalog.ID { counter++; return catalog.NewID(scan, counter) }
	source := catalog.Source{ID: id(), Host: fmt.Sprintf("host%d", scan), Root: "/data"}
	begin := &catalog.Batch{Scan: scan, Begin: &catalog.Begin{Source: source, Started: someTime + scan*1e9, After: -1}}
	entry := func(dir catalog.ID, name string, kind catalog.Kind) catalog.Entry {
		e := catalog.Entry{ID: id(), Source: source.ID, Dir: dir, Name: name, Last: catalog.Open, Ino: id(), Kind: kind, Mode: 0o644, Mtime: someTime, Ctime: someTime, Nlink: 1}
		if kind == catalog.Directory {
			e.Mode, e.Nlink, e.Size = 0o755, 2, 4096
		}
		return e
	}
	top := entry(0, "", catalog.Directory)
	b := &catalog.Batch{Scan: scan, Part: 1, Opened: []catalog.Entry{top}, End: &catalog.End{Finished: someTime + scan*1e9 + 1, State: catalog.Complete}}
	b.Packs = []catalog.Pack{{ID: id(), Key: catalog.PackID{byte(scan)}, Size: 1 << 28}}
	for d := range benchDirs {
		if !full {
			break
		}
		dir := entry(top.Ino, fmt.Sprintf("d%05d", d), catalog.Directory)
		b.Opened = append(b.Opened, dir)
		segment := catalog.Segment{ID: id(), Pack: b.Packs[0].ID, Number: uint32(d), Offset: int64(d) << 20, Stored: 1 << 20, Length: benchFiles * benchSize}
		b.Segments = append(b.Segments, segment)
		for f := range benchFiles {
			c := catalog.Chunk{ID: id(), Segment: segment.ID, Offset: uint32(f * benchSize), Length: benchSize}
			e := entry(dir.Ino, fmt.Sprintf("f%05d", f), catalog.File)
			e.Size, e.Chunk = benchSize, c.ID
			b.Chunks, b.Opened = append(b.Chunks, c), append(b.Opened, e)
		}
	}
	if err := cat.Apply(ctx, begin); err != nil {
		return err
	}
	return cat.Apply(ctx, b)
}

// startBench starts a server and gives the directory in which the tree is.
func startBench(b *testing.B, server *exec.Cmd, mountpoint string) {
	b.Helper()
	server.Stderr = os.Stderr
	out, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := Unmount(mountpoint, true); err != nil {
			b.Error(err)
		}
		if err := server.Wait(); err != nil {
			b.Error(err)
		}
	})
}

// BenchmarkTree lists and copies a tree for the first time, from bus3 on a real catalog and from the do-nothing server.
func BenchmarkTree(b *testing.B) {
	nothing := filepath.Join(b.TempDir(), "nothing")
	if out, err := exec.Command("go", "build", "-o", nothing, "../test/nothing").CombinedOutput(); err != nil {
		b.Fatalf("%v: %s", err, out)
	}
	path := filepath.Join(b.TempDir(), "catalog")
	if err := fillBench(path, 1); err != nil {
		b.Fatal(err)
	}
	scratch := "/dev/shm"
	if _, err := os.Stat(scratch); err != nil {
		scratch = b.TempDir()
	}
	for _, job := range []string{"ls -lR $0 >/dev/null", "cp -a $0 $1", "find $0 >/dev/null"} {
		for _, what := range []string{"nothing", "bus3"} {
			b.Run(strings.Fields(job)[0]+"/"+what, func(b *testing.B) {
				for range b.N {
					b.StopTimer()
					mountpoint, copies := b.TempDir(), filepath.Join(scratch, fmt.Sprintf("bus3-bench-%d", os.Getpid()))
					server, tree := exec.Command(nothing, mountpoint), mountpoint
					if what == "bus3" {
						server, tree = exec.Command(os.Args[0]), filepath.Join(mountpoint, "0")
						server.Env = append(os.Environ(), serverVariable+"="+mountpoint, benchVariable+"="+path)
					}
					startBench(b, server, mountpoint)
					b.StartTimer()
					out, err := exec.Command("sh", "-c", job, tree, copies).CombinedOutput()
					b.StopTimer()
					if err != nil {
						b.Fatalf("%v: %s", err, out)
					}
					if err := os.RemoveAll(copies); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
