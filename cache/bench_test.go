package cache

import (
	"context"
	"testing"
	"time"

	"github.com/bus3/bus3/catalog"
)

// bigWorld has a file of random data.
func bigWorld(b *testing.B, size int) (*world, catalog.Entry) {
	w := newWorld(b)
	e := w.large("big", int64(size), 620_000, span{0, noise(size, 1)})
	w.ready()
	return w, e
}

// smallWorld has files of 4 KiB of random data.
func smallWorld(b *testing.B, count int) (*world, []catalog.Entry) {
	w := newWorld(b)
	data := noise(count*4096, 1)
	var files []catalog.Entry
	for i := range count {
		files = append(files, w.small("small", data[i*4096:(i+1)*4096]))
	}
	w.ready()
	return w, files
}

func slow(latency time.Duration) func(context.Context, string, int64) error {
	return func(context.Context, string, int64) error { time.Sleep(latency); return nil }
}

func report(b *testing.B, w *world, r *Reader) {
	b.ReportMetric(float64(w.gets.Load()), "GETs")
	b.ReportMetric(float64(w.queries.Load()), "queries")
	b.ReportMetric(float64(r.memory.pool.mapped.Load())/(1<<20), "MiB-mapped")
}

// BenchmarkSequential reads a file of 1 GiB along, in the reads of 1 MiB that FUSE makes, with latencies per GET.
func BenchmarkSequential(b *testing.B) {
	const size = 1 << 30
	w, e := bigWorld(b, size)
	for _, latency := range []time.Duration{0, 50 * time.Millisecond} {
		b.Run(latency.String(), func(b *testing.B) {
			b.SetBytes(size)
			w.fault = slow(latency)
			buf := make([]byte, 1<<20)
			for b.Loop() {
				w.gets.Store(0)
				w.queries.Store(0)
				r := w.reader(Options{})
				for off := int64(0); off < size; off += int64(len(buf)) {
					if _, err := r.ReadAt(b.Context(), &e, buf, off); err != nil {
						b.Fatal(err)
					}
				}
				report(b, w, r)
			}
		})
	}
}

// BenchmarkSmall reads 50,000 files of 4 KiB, one after the other.
func BenchmarkSmall(b *testing.B) {
	w, files := smallWorld(b, 50_000)
	for _, latency := range []time.Duration{0, 50 * time.Millisecond} {
		b.Run(latency.String(), func(b *testing.B) {
			b.SetBytes(50_000 * 4096)
			w.fault = slow(latency)
			buf := make([]byte, 128<<10)
			for b.Loop() {
				w.gets.Store(0)
				w.queries.Store(0)
				r := w.reader(Options{})
				for i := range files {
					if _, err := r.ReadAt(b.Context(), &files[i], buf, 0); err != nil {
						b.Fatal(err)
					}
				}
				report(b, w, r)
			}
		})
	}
}

// BenchmarkHit reads 4 KiB that are in memory.
func BenchmarkHit(b *testing.B) {
	w, files := smallWorld(b, 1000)
	r := w.reader(Options{})
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if _, err := r.ReadAt(b.Context(), &files[i%len(files)], buf, 0); err != nil {
			b.Fatal(err)
		}
	}
}
