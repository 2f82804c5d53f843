package journal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/journal"
)

// begin is part 0 of a scan, with something in each field.
func begin() *catalog.Batch {
	return &catalog.Batch{Scan: 5, Begin: &catalog.Begin{
		Source:  catalog.Source{ID: catalog.NewID(2, 1), Host: "host\xff", Root: "/srv/\xfe"},
		Started: 1_700_000_000_123_456_789, Tags: []string{"a", ""}, Program: "bus3 1.0.0",
		After: 4, AfterParts: 9, AfterDigest: catalog.Hash{1, 31: 2},
	}}
}

// full is a batch with something in each field.
func full() *catalog.Batch {
	id := func(n int64) catalog.ID { return catalog.NewID(5, n) }
	return &catalog.Batch{
		Scan: 5, Part: 3,
		Packs:    []catalog.Pack{{ID: id(1), Key: catalog.PackID{7}, Size: 33 << 20}, {ID: id(9), Key: catalog.PackID{8}, Size: 1}},
		Segments: []catalog.Segment{{ID: id(2), Pack: id(1), Number: 1, Offset: 8, Stored: 500, Length: 1000}, {ID: id(3), Pack: id(1), Offset: 508, Stored: 20, Length: 4}},
		Chunks:   []catalog.Chunk{{ID: id(4), Hash: catalog.Hash{4}, Segment: id(2), Length: 900}, {ID: id(5), Hash: catalog.Hash{5}, Segment: id(2), Offset: 900, Length: 100}},
		Pieces:   []catalog.Piece{{Content: id(6), Chunk: id(4)}, {Content: id(6), Offset: 900, Chunk: id(5)}, {Content: id(6), Offset: 1 << 40, Chunk: catalog.NewID(1, 1)}},
		Values:   []catalog.Value{{ID: id(7), Bytes: []byte("o\x04root\x04root"), Hash: catalog.HashValue([]byte("o\x04root\x04root"))}},
		Opened: []catalog.Entry{
			{ID: id(10), Source: catalog.NewID(2, 1), Last: catalog.Open, Ino: catalog.NewID(2, 2), Kind: catalog.Directory, Mode: 0o755, Size: 4096, Mtime: -1, Ctime: 1, Nlink: 3, Dev: 2049, SourceIno: 2},
			{ID: id(11), Source: catalog.NewID(2, 1), Dir: catalog.NewID(2, 2), Name: "file\xff\n", Last: catalog.Open, Ino: id(12), Kind: catalog.File, Mode: 0o4755, UID: 1000, GID: math.MaxUint32, Owner: id(7), Size: 1000, Mtime: 1_700_000_000_000_000_001, Ctime: 1_700_000_000_000_000_001, Nlink: 1, Dev: math.MaxUint64, SourceIno: math.MaxUint64, Xattrs: id(8), Content: id(6)},
			{ID: id(13), Source: catalog.NewID(2, 1), Dir: catalog.NewID(2, 2), Name: "files", Last: catalog.Open, Ino: id(14), Kind: catalog.File, Flags: catalog.Inconsistent, Size: 900, Mtime: math.MaxInt64, Ctime: math.MinInt64, Chunk: id(4)},
			{ID: id(15), Source: catalog.NewID(2, 1), Dir: catalog.NewID(2, 2), Name: "link", Last: catalog.Open, Ino: id(16), Kind: catalog.Symlink, Mode: 0o777, Size: 6, Mtime: math.MinInt64, Ctime: math.MaxInt64, Target: "../\xff/b"},
			{ID: id(17), Source: catalog.NewID(2, 1), Dir: id(10), Name: "null", Last: catalog.Open, Ino: id(18), Kind: catalog.CharDevice, Rdev: 259},
		},
		Closed:   []catalog.Closed{{ID: catalog.NewID(2, 3), Last: 4}, {ID: catalog.NewID(2, 2), Last: -1}},
		Problems: []catalog.Problem{{Path: "/srv/\xfe/x", Message: "open: permission denied"}, {}},
		End:      &catalog.End{Finished: 1_700_000_001_000_000_000, State: catalog.Partial, Counts: catalog.Counts{Files: 1, Dirs: 2, Others: 3, New: 4, Changed: 5, Unchanged: 6, Removed: 7, Bytes: 8, BytesRead: 9, BytesNew: 10, BytesStored: 11, Objects: 12, Problems: 13, EntriesOpened: 14, EntriesClosed: 15}},
	}
}

func roundTrip(t *testing.T, b *catalog.Batch) {
	t.Helper()
	if err := b.Check(); err != nil {
		t.Fatal(err)
	}
	data, err := journal.Encode([]byte("before"), b)
	if err != nil {
		t.Fatal(err)
	}
	if size := len(data) - len("before"); size > journal.Size(b) {
		t.Errorf("%d bytes, but Size says %d", size, journal.Size(b))
	}
	got, err := journal.Decode(data[len("before"):])
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b, got); diff != "" {
		t.Error(diff)
	}
}

func TestBatchesComeBack(t *testing.T) {
	roundTrip(t, begin())
	roundTrip(t, full())
	roundTrip(t, &catalog.Batch{Scan: catalog.MaxScan, Part: 1})
	roundTrip(t, &catalog.Batch{Scan: 0, Part: 1, End: &catalog.End{State: catalog.Complete}})
	first := begin()
	first.Begin.After, first.Begin.AfterParts, first.Begin.AfterDigest, first.Begin.Tags = -1, 0, catalog.Hash{}, nil
	roundTrip(t, first)
}

func TestAnyBatchComesBack(t *testing.T) {
	for seed := range uint64(300) {
		r := rand.New(rand.NewPCG(seed, 1))
		roundTrip(t, anyBatch(r))
		if t.Failed() {
			t.Fatalf("with seed %d", seed)
		}
	}
}

// number is small, large, or anything, and never negative.
func number(r *rand.Rand) int64 {
	switch r.IntN(3) {
	case 0:
		return r.Int64N(3)
	case 1:
		return r.Int64N(1 << 20)
	}
	return r.Int64()
}

// anyBatch makes a batch that passes the check, of values that are as wild as that allows.
func anyBatch(r *rand.Rand) *catalog.Batch {
	b := &catalog.Batch{Scan: r.Int64N(catalog.MaxScan + 1), Part: 1 + r.Int64N(1000)}
	own := func() catalog.ID { return catalog.NewID(b.Scan, 1+number(r)%catalog.MaxCounter) }
	older := func() catalog.ID { return catalog.NewID(r.Int64N(b.Scan+1), 1+number(r)%catalog.MaxCounter) }
	rows := func() int { return r.IntN(1 + r.IntN(20)) }
	chars := func(n int) string {
		p := make([]byte, n)
		for i := range p {
			p[i] = byte('0' + r.IntN(200))
		}
		return string(p)
	}
	for range rows() {
		b.Packs = append(b.Packs, catalog.Pack{ID: own(), Key: catalog.PackID([]byte(chars(16))), Size: 1 + number(r)%catalog.MaxPack})
		b.Segments = append(b.Segments, catalog.Segment{ID: own(), Pack: older(), Number: r.Uint32(), Offset: number(r) % catalog.MaxPack, Stored: r.Uint32() | 1, Length: 1 + r.Uint32N(catalog.MaxSegment)})
		c := catalog.Chunk{ID: own(), Hash: catalog.Hash([]byte(chars(32))), Segment: older(), Offset: r.Uint32N(1000), Length: 1 + r.Uint32N(catalog.MaxChunk-1000)}
		b.Chunks = append(b.Chunks, c, catalog.Chunk{ID: own(), Hash: c.Hash, Segment: c.Segment, Offset: c.Offset, Length: c.Length})
		b.Pieces = append(b.Pieces, catalog.Piece{Content: own(), Offset: number(r), Chunk: older()}, catalog.Piece{Content: own(), Offset: number(r), Chunk: c.ID})
	}
	for range rows() {
		v := []byte(chars(1 + r.IntN(100)))
		b.Values = append(b.Values, catalog.Value{ID: own(), Hash: catalog.HashValue(v), Bytes: v})
		b.Closed = append(b.Closed, catalog.Closed{ID: older(), Last: number(r)%(b.Scan+1) - 1})
		b.Problems = append(b.Problems, catalog.Problem{Path: chars(r.IntN(50)), Message: chars(r.IntN(50))})
	}
	for range rows() {
		e := catalog.Entry{
			ID: own(), Source: older(), Dir: older(), Name: chars(1 + r.IntN(1+r.IntN(255))), Last: catalog.Open, Ino: older(),
			Kind: catalog.File + catalog.Kind(r.IntN(7)), Flags: catalog.Flag(r.IntN(256)), Mode: r.Uint32N(0o10000), UID: r.Uint32(), GID: r.Uint32N(3),
			Size: number(r), Mtime: int64(r.Uint64()), Ctime: int64(r.Uint64()), Nlink: r.Uint32(), Rdev: r.Uint64N(2), Dev: r.Uint64(), SourceIno: r.Uint64(),
		}
		if r.IntN(2) == 0 {
			e.Ctime, e.Owner, e.Xattrs = e.Mtime, older(), older()
		}
		switch {
		case e.Kind == catalog.Symlink:
			e.Target = chars(1 + r.IntN(4095))
		case e.Kind == catalog.File && len(b.Chunks) > 0 && r.IntN(2) == 0:
			e.Chunk = b.Chunks[r.IntN(len(b.Chunks))].ID
		case e.Kind == catalog.File:
			e.Content = older()
		}
		b.Opened = append(b.Opened, e)
	}
	return b
}

func TestImpossibleBatchesAreRefused(t *testing.T) {
	bad := full()
	bad.Opened[1].Name = "a/b"
	data, err := journal.Encode(nil, bad)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := journal.Decode(data); !errors.Is(err, catalog.ErrInvalid) {
		t.Errorf("a name with a slash: %v", err)
	}
	good, err := journal.Encode(nil, full())
	if err != nil {
		t.Fatal(err)
	}
	for n := range len(good) {
		if _, err := journal.Decode(good[:n]); !errors.Is(err, catalog.ErrInvalid) {
			t.Fatalf("truncated to %d of %d bytes: %v", n, len(good), err)
		}
	}
	if _, err := journal.Decode(append(bytes.Clone(good), 0)); !errors.Is(err, catalog.ErrInvalid) {
		t.Errorf("a byte too many: %v", err)
	}
	good[0] = journal.Version + 1
	if _, err := journal.Decode(good); !errors.Is(err, catalog.ErrInvalid) || !strings.Contains(err.Error(), "version 2") {
		t.Errorf("a later version: %v", err)
	}
}

func TestLargeBatchesAreRefused(t *testing.T) {
	rows := &catalog.Batch{Part: 1, Closed: make([]catalog.Closed, journal.MaxRows+1)}
	if _, err := journal.Encode(nil, rows); !errors.Is(err, journal.ErrTooLarge) {
		t.Error(err)
	}
	value := make([]byte, catalog.MaxValue)
	large := &catalog.Batch{Part: 1, Values: make([]catalog.Value, journal.MaxSize/len(value))}
	for i := range large.Values {
		large.Values[i].Bytes = value
	}
	if _, err := journal.Encode(nil, large); !errors.Is(err, journal.ErrTooLarge) {
		t.Error(err)
	}
}

func TestFormatIsThatOfTheGoldenFiles(t *testing.T) {
	for name, b := range map[string]*catalog.Batch{"v1-begin.hex": begin(), "v1-full.hex": full()} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		want, err := hex.DecodeString(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		got, err := journal.Encode(nil, b)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s is now\n%x, %v", name, got, err)
		}
		old, err := journal.Decode(want)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, old); diff != "" {
			t.Error(diff)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, b := range []*catalog.Batch{begin(), full(), {Scan: 1, Part: 1}} {
		data, err := journal.Encode(nil, b)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		b, err := journal.Decode(data)
		if err != nil {
			if !errors.Is(err, catalog.ErrInvalid) {
				t.Error(err)
			}
			return
		}
		again, err := journal.Encode(nil, b)
		if err != nil {
			t.Fatal(err)
		}
		c, err := journal.Decode(again)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(b, c); diff != "" {
			t.Error(diff)
		}
	})
}
