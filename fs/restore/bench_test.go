package restore

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// corpora are trees to restore, smaller than those of `make bench`, which has them in full.
func corpora() map[string]func(b *testing.B, root string) {
	return map[string]func(b *testing.B, root string){
		"small": func(b *testing.B, root string) {
			data := noise(20_000*4096, 1)
			for i := range 20_000 {
				write(b, filepath.Join(root, fmt.Sprint(i%50), fmt.Sprint(i)), data[i*4096:(i+1)*4096])
			}
		},
		"big": func(b *testing.B, root string) { write(b, filepath.Join(root, "big"), noise(512<<20, 1)) },
	}
}

// BenchmarkRestore restores into a tmpfs, and copies with `cp -a` for comparison. The metric is processor time: the wall's
// is that of the other programs as well.
func BenchmarkRestore(b *testing.B) {
	for name, fill := range corpora() {
		b.Run(name, func(b *testing.B) {
			w := newWorld(b)
			fill(b, w.root)
			scan := w.backup()
			dest, err := os.MkdirTemp("/dev/shm", "bus3-bench-")
			must(b, err)
			defer os.RemoveAll(dest) //nolint:errcheck // of a benchmark
			ways := map[string]func(to string){
				"cp": func(to string) { must(b, exec.Command("cp", "-a", w.root, to).Run()) },
				"restore": func(to string) {
					_, err := Run(b.Context(), w.cat, w.reader(), Options{Scan: scan, Dest: to})
					must(b, err)
				},
			}
			for name, way := range ways {
				b.Run(name, func(b *testing.B) {
					var spent time.Duration
					for i := 0; b.Loop(); i++ {
						to := filepath.Join(dest, fmt.Sprint(i))
						before := processor()
						way(to)
						spent += processor() - before
						b.StopTimer()
						must(b, os.RemoveAll(to))
						b.StartTimer()
					}
					b.ReportMetric(spent.Seconds()/float64(b.N), "cpu-s/op")
				})
			}
		})
	}
}

// processor is the time that this process and its children have had.
func processor() (d time.Duration) {
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if syscall.Getrusage(who, &u) == nil {
			d += time.Duration(u.Utime.Nano() + u.Stime.Nano())
		}
	}
	return d
}
