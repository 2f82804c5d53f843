package catalogtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/bus3/bus3/catalog"
)

// benchDirs directories of benchFiles files each are the tree of the benchmarks.
const (
	benchDirs  = 40
	benchFiles = 500
)

// Benchmark measures what must be fast, in rows per second.
func Benchmark(b *testing.B, e Engine) {
	b.Run("Apply", func(b *testing.B) {
		cat := e.New(b)(b, false)
		s := Begin(b, cat, "host", "/")
		root := s.Root()
		s.Apply()
		rows := 0
		for b.Loop() {
			b.StopTimer()
			fillBatch(s, root.Ino)
			batch := s.Take()
			b.StartTimer()
			must(b, cat.Apply(context.Background(), batch))
			rows += len(batch.Opened)
		}
		b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "entries/s")
	})
	b.Run("Read", func(b *testing.B) { benchmarkRead(b, e) })
}

// fillBatch is a batch of directories of small files, each with a chunk of its own.
func fillBatch(s *Scanner, root catalog.ID) (dirs []catalog.ID) {
	return fill(s, root, benchDirs, benchFiles)
}

// fill is a batch of so many directories of so many files.
func fill(s *Scanner, root catalog.ID, n, files int) (dirs []catalog.ID) {
	for d := range n {
		dir := s.Open(catalog.Entry{Dir: root, Name: fmt.Sprintf("directory %d", d), Kind: catalog.Directory})
		dirs = append(dirs, dir.Ino)
		texts := make([]string, files)
		for f := range texts {
			texts[f] = fmt.Sprint(dir.Ino, f)
		}
		for f, id := range s.Chunks(texts...) {
			s.Open(catalog.Entry{
				Dir: dir.Ino, Name: fmt.Sprintf("some file %05d.txt", f), Mode: 0o644, UID: 1000, GID: 1000, Size: 4096, Mtime: 1700000000123456789, Ctime: 1700000000123456789,
				Dev: 2049, Chunk: id,
			})
		}
	}
	return dirs
}

func benchmarkRead(b *testing.B, e Engine) {
	ctx := context.Background()
	cat := e.New(b)(b, false)
	s := Begin(b, cat, "host", "/")
	root := s.Root()
	dirs := fillBatch(s, root.Ino)
	batch := s.Take()
	must(b, cat.Apply(ctx, batch))
	hashes := make([]catalog.Hash, len(batch.Chunks))
	for i := range batch.Chunks {
		hashes[i] = batch.Chunks[i].Hash
	}
	rows := 0
	count := func(*catalog.Entry) error { rows++; return nil }
	measure := func(name string, fn func() error) {
		b.Run(name, func(b *testing.B) {
			rows = 0
			for b.Loop() {
				must(b, fn())
			}
			b.ReportMetric(float64(rows)/b.Elapsed().Seconds(), "rows/s")
			b.ReportMetric(float64(rows)/float64(b.N), "rows/op")
		})
	}
	measure("Current", func() error { return cat.Current(ctx, dirs, count) })
	measure("List", func() error { return cat.List(ctx, s.Number, dirs[0], count) })
	small := fill(s, root.Ino, 2000, 10)
	must(b, cat.Apply(ctx, s.Take()))
	measure("ListSmall", func() error { // one after the other, as a mount asks for them
		for _, dir := range small {
			if err := cat.List(ctx, s.Number, dir, count); err != nil {
				return err
			}
		}
		return nil
	})
	measure("KnownChunks", func() error {
		rows += len(hashes)
		return cat.KnownChunks(ctx, hashes, make([]catalog.ID, len(hashes)))
	})
}
