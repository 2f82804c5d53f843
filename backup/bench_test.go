package backup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sync/errgroup"
)

// A first backup of many small files: what it allocates on the heap for each of them.
func BenchmarkFirstBackupOfSmallFiles(b *testing.B) {
	const dirs, files = 50, 1000
	for b.Loop() {
		b.StopTimer()
		w := newQuickWorld(b)
		for d := range dirs {
			w.mkdir(fmt.Sprint(d))
			for f := range files {
				must(b, os.WriteFile(w.path(fmt.Sprintf("%d/%d", d, f)), random(4096, uint64(d*files+f)), 0o600))
			}
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		b.StartTimer()
		w.backup()
		b.StopTimer()
		runtime.ReadMemStats(&after)
		b.ReportMetric(float64(after.Mallocs-before.Mallocs)/(dirs*files), "allocs/file")
		b.ReportMetric(float64(after.TotalAlloc-before.TotalAlloc)/(dirs*files), "heapbytes/file")
		must(b, os.RemoveAll(w.root))
		b.StartTimer()
	}
}

// A tree in which files are appended to and rewritten all the time while it is backed up, and the same one when it is quiet.
func BenchmarkBackupOfFilesThatChange(b *testing.B) {
	for _, writers := range []int{0, 1, 4} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				w := newQuickWorld(b)
				files := manySizes(w)
				ctx, stop := context.WithCancel(b.Context())
				g, ctx := errgroup.WithContext(ctx)
				for i := range writers {
					g.Go(func() error { return disturbAll(ctx, files, i, writers) })
				}
				p := new(Progress)
				b.StartTimer()
				s := w.try(func(o *Options) { o.Progress = p })
				b.StopTimer()
				stop()
				must(b, g.Wait())
				b.ReportMetric(float64(p.Rereads.Load()), "rereads")
				b.ReportMetric(float64(s.Counts.Problems), "inconsistent")
				b.ReportMetric(float64(len(files)), "files")
				must(b, os.RemoveAll(w.root))
				b.StartTimer()
			}
		})
	}
}

// manySizes makes 2,000 files of 4 KiB, 100 of 256 KiB and 10 of 8 MiB.
func manySizes(w *world) (paths []string) {
	for size, count := range map[int]int{4 << 10: 2000, 256 << 10: 100, 8 << 20: 10} {
		dir := w.path(fmt.Sprint(size))
		must(w.t, os.Mkdir(dir, 0o755))
		for i := range count {
			path := filepath.Join(dir, fmt.Sprint(i))
			must(w.t, os.WriteFile(path, random(size, uint64(size+i)), 0o600))
			paths = append(paths, path)
		}
	}
	return paths
}

// disturbAll appends to every other one of its share of the files and writes into the beginning of the others, again and
// again.
func disturbAll(ctx context.Context, files []string, share, of int) error {
	for round := 0; ; round++ {
		for i := share; i < len(files); i += of {
			if ctx.Err() != nil {
				return nil
			}
			if err := disturbOne(files[i], i%2 == 0, round); err != nil {
				return err
			}
		}
	}
}

func disturbOne(path string, grow bool, round int) error {
	mode := os.O_WRONLY
	if grow {
		mode |= os.O_APPEND
	}
	f, err := os.OpenFile(path, mode, 0)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(f, round); err != nil {
		return err
	}
	return f.Close()
}
