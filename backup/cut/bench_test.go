package cut_test

import (
	"context"
	"crypto/rand"
	"os"
	"path/filepath"
	"testing"

	"github.com/zeebo/blake3"

	"github.com/bus3/bus3/backup/cut"
	"github.com/bus3/bus3/backup/source"
	"github.com/bus3/bus3/catalog"
)

// BenchmarkCutAndHash reads a file out of the page cache, cuts and hashes it.
func BenchmarkCutAndHash(b *testing.B) {
	const size = 256 << 20
	dir := b.TempDir()
	data := make([]byte, size)
	_, _ = rand.Read(data)
	if err := os.WriteFile(filepath.Join(dir, "f"), data, 0o600); err != nil {
		b.Fatal(err)
	}
	f := openOnly(b, dir)
	key := make([]byte, 32)
	for name, p := range map[string]cut.Params{"content-defined": {}, "fixed": {Fixed: 1 << 20}} {
		p.Hash = func(plain []byte) (sum catalog.Hash) {
			h, err := blake3.NewKeyed(key)
			if err != nil {
				b.Fatal(err)
			}
			_, _ = h.Write(plain)
			h.Sum(sum[:0])
			return sum
		}
		c, err := cut.New(p)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(name, func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			chunks := 0
			for b.Loop() {
				chunks = 0
				err := c.Cut(context.Background(), f, size, func(int64, []byte, catalog.Hash) error { chunks++; return nil })
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(size/1024/float64(chunks), "KiB/chunk")
		})
	}
}

func openOnly(b *testing.B, dir string) *source.File {
	b.Helper()
	t, err := source.Open(dir, source.Options{})
	if err != nil {
		b.Fatal(err)
	}
	d, _, err := t.Root()
	if err != nil {
		b.Fatal(err)
	}
	stats, _, err := t.List(context.Background(), d, nil)
	if err != nil {
		b.Fatal(err)
	}
	f, err := t.OpenFile(d, &stats[0])
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _, _ = f.Close(), t.Close() })
	return f
}
