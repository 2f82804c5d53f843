package pack

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/seal"
)

// FuzzParseDirectory reads raw directories: what a holder of the keys could write. None may panic, allocate without
// bounds, or give rows that lie outside the pack.
func FuzzParseDirectory(f *testing.F) {
	for _, chunks := range [][]Chunk{nil, {{ID: catalog.NewID(3, 9), Length: 5}, {ID: catalog.NewID(3, 4), Offset: 5, Length: 1}}} {
		w := newDirectoryWriter(catalog.NewID(3, 2))
		w.add(catalog.NewID(3, 8), 1, 100, 6, chunks)
		w.add(catalog.NewID(3, 3), 0, 28, 12, nil)
		plain := w.encode()
		length, used := binary.Uvarint(plain)
		raw, err := seal.Decompress(nil, plain[used:], int(length))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw, int64(136))
	}
	f.Add([]byte{0, 1, 0, 0}, int64(8))
	f.Fuzz(func(t *testing.T, raw []byte, start int64) {
		if start < int64(len(header)) || start > catalog.MaxPack-100 {
			return
		}
		d, err := parseDirectory(raw, catalog.PackID{}, start+100, start)
		if err != nil {
			if !errors.Is(err, seal.ErrDamaged) {
				t.Error(err)
			}
			return
		}
		b := catalog.Batch{Scan: d.Pack.ID.Scan(), Part: 1, Packs: []catalog.Pack{d.Pack}, Segments: d.Segments, Chunks: d.Chunks}
		if err := b.Check(); err != nil {
			t.Error(err)
		}
		for i := range d.Segments {
			if s := &d.Segments[i]; s.Offset+int64(s.Stored) > start {
				t.Errorf("segment at %d+%d beyond %d", s.Offset, s.Stored, start)
			}
		}
	})
}

// FuzzReadDirectory reads objects as a store could give them.
func FuzzReadDirectory(f *testing.F) {
	m := seal.Master{}
	keys := seal.NewKeys(m, m.Repository())
	w := NewWriter(keys, catalog.NewID(1, 1), catalog.PackID{}, nil)
	f.Add(w.Finish())
	f.Add([]byte(header + "0123456789abcdef\x10\x00\x00\x00" + trailerTag))
	f.Fuzz(func(t *testing.T, object []byte) {
		_, err := ReadDirectory(keys, catalog.PackID{}, int64(len(object)), func(off int64, dst []byte) error {
			if off < 0 || off+int64(len(dst)) > int64(len(object)) {
				t.Fatalf("reads %d+%d of %d", off, len(dst), len(object))
			}
			copy(dst, object[off:])
			return nil
		})
		if err != nil && !errors.Is(err, seal.ErrDamaged) {
			t.Error(err)
		}
	})
}
