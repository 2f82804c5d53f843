package catalogtest

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/bus3/bus3/catalog"
)

// Scanner makes the batches of one scan, as a backup would, and applies them.
type Scanner struct {
	t       testing.TB
	cat     Catalog
	Source  catalog.ID
	Number  int64
	part    int64
	counter int64
	Batch   catalog.Batch
}

// BeginBatch is part 0 of the next scan of that source, with the catalog's own idea of what it follows.
func BeginBatch(t testing.TB, cat Catalog, host, root string) *catalog.Batch {
	t.Helper()
	ctx := context.Background()
	number, err := cat.NextScan(ctx)
	must(t, err)
	begin := &catalog.Begin{Started: 1e18 + number, Tags: []string{"daily", "with\x00bytes\xff"}, Program: "bus3 test", After: -1}
	src, err := cat.FindSource(ctx, host, root)
	if err != nil {
		src = catalog.Source{ID: catalog.NewID(number, 1), Host: host, Root: root}
	} else {
		newest, err := cat.NewestScan(ctx, src.ID)
		must(t, err)
		begin.After, begin.AfterParts, begin.AfterDigest = newest.Number, newest.Parts, newest.Digest
	}
	begin.Source = src
	return &catalog.Batch{Scan: number, Begin: begin, Digest: digestOf(number, 0)}
}

// Begin applies the first part of a new scan of that source.
func Begin(t testing.TB, cat Catalog, host, root string) *Scanner {
	t.Helper()
	b := BeginBatch(t, cat, host, root)
	must(t, cat.Apply(context.Background(), b))
	return Continue(t, cat, b)
}

// Continue makes the parts that follow part 0.
func Continue(t testing.TB, cat Catalog, begin *catalog.Batch) *Scanner {
	return &Scanner{t: t, cat: cat, Source: begin.Begin.Source.ID, Number: begin.Scan, part: 1, counter: 1}
}

// ID is a new ID of the scan.
func (s *Scanner) ID() catalog.ID {
	s.counter++
	return catalog.NewID(s.Number, s.counter)
}

// Open adds an entry to the batch, with plausible fields where e has none.
func (s *Scanner) Open(e catalog.Entry) catalog.Entry {
	e.ID, e.Source, e.Last = s.ID(), s.Source, catalog.Open
	if e.Ino == 0 {
		e.Ino = s.ID()
	}
	if e.Kind == 0 {
		e.Kind = catalog.File
	}
	if e.Nlink == 0 {
		e.Nlink = 1
	}
	if e.SourceIno == 0 {
		e.SourceIno = uint64(e.Ino.Counter())
	}
	s.Batch.Opened = append(s.Batch.Opened, e)
	return e
}

// Root adds the root of the tree.
func (s *Scanner) Root() catalog.Entry {
	return s.Open(catalog.Entry{Kind: catalog.Directory, Mode: 0o755})
}

// Close ends an entry with the scan before.
func (s *Scanner) Close(e catalog.Entry) { s.CloseAt(e, s.Number-1) }

// CloseAt ends an entry with that scan.
func (s *Scanner) CloseAt(e catalog.Entry, last int64) {
	s.Batch.Closed = append(s.Batch.Closed, catalog.Closed{ID: e.ID, Last: last})
}

// Chunks adds a pack of one segment with chunks of these texts.
func (s *Scanner) Chunks(texts ...string) []catalog.ID {
	pack := catalog.Pack{ID: s.ID(), Key: packKey(s.Number, s.counter), Size: 1 << 20}
	seg := catalog.Segment{ID: s.ID(), Pack: pack.ID, Offset: 16, Stored: 1000}
	var ids []catalog.ID
	for _, text := range texts {
		c := catalog.Chunk{ID: s.ID(), Hash: HashOf(text), Segment: seg.ID, Offset: seg.Length, Length: uint32(len(text))}
		seg.Length += c.Length
		s.Batch.Chunks = append(s.Batch.Chunks, c)
		ids = append(ids, c.ID)
	}
	s.Batch.Packs = append(s.Batch.Packs, pack)
	s.Batch.Segments = append(s.Batch.Segments, seg)
	return ids
}

// Value adds a value.
func (s *Scanner) Value(b []byte) catalog.ID {
	id := s.ID()
	s.Batch.Values = append(s.Batch.Values, catalog.Value{ID: id, Hash: catalog.HashValue(b), Bytes: b})
	return id
}

// Take is the batch so far, as the next part; a new one begins.
func (s *Scanner) Take() *catalog.Batch {
	b := s.Batch
	b.Scan, b.Part, b.Digest = s.Number, s.part, digestOf(s.Number, s.part)
	s.Batch = catalog.Batch{}
	s.part++
	return &b
}

// Apply applies the batch so far as the next part.
func (s *Scanner) Apply() {
	s.t.Helper()
	must(s.t, s.cat.Apply(context.Background(), s.Take()))
}

// Finish applies the batch so far as the last part.
func (s *Scanner) Finish() {
	s.t.Helper()
	s.Batch.End = &catalog.End{Finished: 2e18, State: catalog.Complete, Counts: catalog.Counts{Files: 1, EntriesClosed: 15}}
	s.Apply()
}

// HashOf is the hash that chunks with this text have here.
func HashOf(text string) catalog.Hash { return sha256.Sum256([]byte(text)) }

func digestOf(scan, part int64) catalog.Hash { return HashOf(fmt.Sprint("digest", scan, part)) }

func packKey(scan, n int64) (k catalog.PackID) {
	binary.BigEndian.PutUint64(k[:], uint64(scan))
	binary.BigEndian.PutUint64(k[8:], uint64(n))
	return k
}

// Names are the names of a directory in a scan, in the order in which they are listed.
func Names(t testing.TB, cat Catalog, scan int64, dir catalog.ID) []string {
	t.Helper()
	var names []string
	must(t, cat.List(context.Background(), scan, dir, func(e *catalog.Entry) error {
		names = append(names, e.Name)
		return nil
	}))
	return names
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
