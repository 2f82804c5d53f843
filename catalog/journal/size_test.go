package journal_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/journal"
	"github.com/bus3/bus3/s3store/seal"
)

// installed is a batch like those of a first backup of /usr/share: packages of files in few directories, with names that
// resemble each other, of a few KiB, dated in whole seconds by package, but put down one after the other within
// milliseconds.
func installed(files int) *catalog.Batch {
	r := rand.New(rand.NewPCG(7, 7))
	const scan = 3
	b := &catalog.Batch{Scan: scan, Part: 1}
	next := int64(10)
	id := func() catalog.ID { next++; return catalog.NewID(scan, next) }
	source, dir := catalog.NewID(0, 1), id()
	words := []string{"index", "locale", "help", "changelog", "copyright", "icon", "module", "theme", "README", "lib", "zone", "utils", "test", "data", "man", "common"}
	ctime, mtime, inode := int64(1_700_000_000_000_000_000), int64(0), uint64(200_000)
	var names []string
	segment, offset := catalog.ID(0), uint32(1<<20)
	for i := range files {
		if i%20 == 0 {
			dir, mtime, names = id(), (1_600_000_000+r.Int64N(100_000_000))*1e9, nil
			for range 20 {
				names = append(names, fmt.Sprintf("%s-%s%d.%s", words[r.IntN(16)], words[r.IntN(16)], r.IntN(100), words[r.IntN(4)]))
			}
			slices.Sort(names)
		}
		ctime += r.Int64N(30) * 4_000_000
		inode += 1 + r.Uint64N(3)
		length := uint32(100 + r.ExpFloat64()*8000)
		if offset+length > 1<<20 {
			s := catalog.Segment{ID: id(), Pack: catalog.NewID(scan, 1), Number: uint32(i / 100), Offset: int64(8 + 300_000*(i/100)), Stored: 200_000 + r.Uint32N(100_000), Length: 1 << 20}
			b.Segments, segment, offset = append(b.Segments, s), s.ID, 0
		}
		c := catalog.Chunk{ID: id(), Segment: segment, Offset: offset, Length: length}
		for k := range c.Hash {
			c.Hash[k] = byte(r.Uint32())
		}
		offset += length
		b.Chunks = append(b.Chunks, c)
		b.Opened = append(b.Opened, catalog.Entry{
			ID: id(), Source: source, Dir: dir, Name: names[i%20], Last: catalog.Open, Ino: id(), Kind: catalog.File, Mode: 0o644, Owner: catalog.NewID(0, 5),
			Size: int64(length), Mtime: mtime, Ctime: ctime, Nlink: 1, Dev: 2049, SourceIno: inode, Chunk: c.ID,
		})
	}
	return b
}

// stored is the size of a batch in the store, without what sealing adds once.
func stored(t testing.TB, b *catalog.Batch) int {
	t.Helper()
	if err := b.Check(); err != nil {
		t.Fatal(err)
	}
	data, err := journal.Encode(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	return len(seal.Compress(nil, data, seal.Default))
}

func TestAFileCostsAtMost60BytesInTheStore(t *testing.T) {
	const files = 10_000
	if per := float64(stored(t, installed(files))) / files; per > 60 {
		t.Errorf("%.1f bytes for each file", per)
	}
}

func BenchmarkEncode(b *testing.B) {
	batch := installed(10_000)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf, _ = journal.Encode(buf[:0], batch)
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "entries/s")
}

func BenchmarkDecode(b *testing.B) {
	data, err := journal.Encode(nil, installed(10_000))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := journal.Decode(data); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*10_000/b.Elapsed().Seconds(), "entries/s")
}
