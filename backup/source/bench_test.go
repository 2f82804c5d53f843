package source

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// manyFiles is how many files the benchmarks look at: one directory of them.
const manyFiles = 20_000

func benchTree(b *testing.B) (*Tree, *Dir) {
	b.Helper()
	dir := b.TempDir()
	for i := range manyFiles {
		if err := unix.Mknod(filepath.Join(dir, fmt.Sprintf("file number %06d", i)), unix.S_IFREG|0o644, 0); err != nil {
			b.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "data"), make([]byte, 4096), 0o600); err != nil {
		b.Fatal(err)
	}
	t, err := Open(dir, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = t.Close() })
	d, _, err := t.Root()
	if err != nil {
		b.Fatal(err)
	}
	return t, d
}

// BenchmarkList lists a directory; per file, one statx is what it cannot do without.
func BenchmarkList(b *testing.B) {
	t, d := benchTree(b)
	b.ReportAllocs()
	for b.Loop() {
		if stats, _, err := t.List(context.Background(), d, nil); err != nil || len(stats) != manyFiles+1 {
			b.Fatal(len(stats), err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/manyFiles, "ns/file")
}

// BenchmarkFile is all that a new small file needs: open, extent, read, attributes, check, close.
func BenchmarkFile(b *testing.B) {
	t, d := benchTree(b)
	s, err := t.Stat(d, "data")
	if err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		f, err := t.OpenFile(d, &s)
		if err != nil {
			b.Fatal(err)
		}
		_, _, err1 := f.NextExtent(0)
		_, err2 := f.ReadAt(buf, 0)
		_, err3 := f.Xattrs()
		_, changed, err4 := f.Changed()
		if err1 != nil || err2 != nil || err3 != nil || err4 != nil || changed || f.Close() != nil {
			b.Fatal(err1, err2, err3, err4, changed)
		}
	}
}
