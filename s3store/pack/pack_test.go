package pack_test

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/s3store/seal"
)

func keys() *seal.Keys {
	m := seal.Master{1, 2, 3}
	return seal.NewKeys(m, m.Repository())
}

func noise(n int) []byte {
	p := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(p)
	return p
}

func text(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("the quick brown fox jumps over a lazy dog while 4711 other files wait in /usr/share to be read and kept")
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "%s %d ", words[r.IntN(len(words))], r.IntN(1000))
	}
	return b.Bytes()[:n]
}

var id = catalog.PackID{0xab, 15: 0xcd}

// sample is a pack whose segments lie in another order than their numbers, and what its directory must say.
func sample(k *seal.Keys, c seal.Compression, plain ...[]byte) ([]byte, *pack.Directory) {
	const scan = 7
	next := int64(100)
	newID := func() catalog.ID { next++; return catalog.NewID(scan, next) }
	want := &pack.Directory{Pack: catalog.Pack{ID: newID(), Key: id}}
	w := pack.NewWriter(k, want.Pack.ID, id, make([]byte, 9, 20))
	box := pack.SegmentBox(k, id)
	for i, p := range plain {
		number := uint32(i ^ 1)
		sealed := pack.SealSegment(nil, box, number, p, c)
		s := catalog.Segment{ID: newID(), Pack: want.Pack.ID, Number: number, Stored: uint32(len(sealed)), Length: uint32(len(p))}
		var chunks []pack.Chunk
		for off := 0; off < len(p); off += 1000 {
			part := p[off:min(off+1000, len(p))]
			chunks = append(chunks, pack.Chunk{ID: newID(), Hash: k.HashChunk(part), Offset: uint32(off), Length: uint32(len(part))})
		}
		s.Offset = w.Append(s.ID, number, sealed, s.Length, chunks)
		want.Segments = append(want.Segments, s)
		for _, c := range chunks {
			want.Chunks = append(want.Chunks, catalog.Chunk{ID: c.ID, Hash: c.Hash, Segment: s.ID, Offset: c.Offset, Length: c.Length})
		}
	}
	object := w.Finish()
	want.Pack.Size = int64(len(object))
	return object, want
}

// reads reads from memory, as a store would, and counts.
type reads struct {
	object []byte
	count  int
}

func (r *reads) at(off int64, dst []byte) error {
	r.count++
	if off < 0 || off+int64(len(dst)) > int64(len(r.object)) {
		return io.ErrUnexpectedEOF
	}
	copy(dst, r.object[off:])
	return nil
}

func TestPackTellsWhatItHolds(t *testing.T) {
	k := keys()
	plain := [][]byte{text(1 << 20), noise(5000), text(1), noise(1 << 20), text(2500)}
	object, want := sample(k, seal.Auto, plain...)
	from := &reads{object: object}
	got, err := pack.ReadDirectory(k, id, int64(len(object)), from.at)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	box := pack.SegmentBox(k, id)
	for i, s := range got.Segments {
		p, err := pack.OpenSegment(nil, box, s.Number, object[s.Offset:s.Offset+int64(s.Stored)], s.Length)
		if err != nil || !bytes.Equal(p, plain[i]) {
			t.Errorf("segment %d: %d bytes, %v", i, len(p), err)
		}
	}
}

func TestRowsOfAPackPassTheCheckOfABatch(t *testing.T) {
	object, _ := sample(keys(), seal.Auto, text(10_000))
	d, err := pack.ReadDirectory(keys(), id, int64(len(object)), (&reads{object: object}).at)
	if err != nil {
		t.Fatal(err)
	}
	b := catalog.Batch{Scan: 7, Part: 1, Packs: []catalog.Pack{d.Pack}, Segments: d.Segments, Chunks: d.Chunks}
	if err := b.Check(); err != nil {
		t.Error(err)
	}
}

func TestSmallDirectoryCostsOneRequest(t *testing.T) {
	object, _ := sample(keys(), seal.Auto, noise(1<<20))
	from := &reads{object: object}
	if _, err := pack.ReadDirectory(keys(), id, int64(len(object)), from.at); err != nil || from.count != 1 {
		t.Errorf("%d requests, %v", from.count, err)
	}
	object, want := sample(keys(), seal.Auto, noise(5<<20))
	from = &reads{object: object}
	got, err := pack.ReadDirectory(keys(), id, int64(len(object)), from.at)
	if err != nil || from.count != 2 || len(got.Chunks) != len(want.Chunks) {
		t.Errorf("large directory: %d requests, %v", from.count, err)
	}
}

func TestEmptyPack(t *testing.T) {
	object, want := sample(keys(), seal.Auto)
	got, err := pack.ReadDirectory(keys(), id, int64(len(object)), (&reads{object: object}).at)
	if err != nil || got.Pack != want.Pack || len(got.Segments)+len(got.Chunks) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestSegmentOpensOnlyInItsPlace(t *testing.T) {
	k := keys()
	box := pack.SegmentBox(k, id)
	for name, plain := range map[string][]byte{"text": text(10_000), "noise": noise(10_000)} {
		sealed := pack.SealSegment([]byte("before"), box, 5, plain, seal.Auto)[6:]
		length := uint32(len(plain))
		got, err := pack.OpenSegment([]byte("x"), box, 5, sealed, length)
		if err != nil || !bytes.Equal(got[1:], plain) {
			t.Fatalf("%s: %v", name, err)
		}
		flipped := bytes.Clone(sealed)
		flipped[len(flipped)/2] ^= 4
		for what, open := range map[string]func() ([]byte, error){
			"number": func() ([]byte, error) { return pack.OpenSegment(nil, box, 6, sealed, length) },
			"pack": func() ([]byte, error) {
				return pack.OpenSegment(nil, pack.SegmentBox(k, catalog.PackID{}), 5, sealed, length)
			},
			"longer":  func() ([]byte, error) { return pack.OpenSegment(nil, box, 5, sealed, length+1) },
			"shorter": func() ([]byte, error) { return pack.OpenSegment(nil, box, 5, sealed, length-1) },
			"as stored": func() ([]byte, error) {
				return pack.OpenSegment(nil, box, 5, sealed, uint32(len(sealed)-seal.Overhead)+1)
			},
			"no length":  func() ([]byte, error) { return pack.OpenSegment(nil, box, 5, sealed, 0) },
			"max length": func() ([]byte, error) { return pack.OpenSegment(nil, box, 5, sealed, 1<<32-1) },
			"truncated":  func() ([]byte, error) { return pack.OpenSegment(nil, box, 5, sealed[:len(sealed)-1], length) },
			"tag only":   func() ([]byte, error) { return pack.OpenSegment(nil, box, 5, sealed[:seal.Overhead], length) },
			"flipped":    func() ([]byte, error) { return pack.OpenSegment(nil, box, 5, flipped, length) },
		} {
			if got, err := open(); !errors.Is(err, seal.ErrDamaged) || len(got) != 0 {
				t.Errorf("%s, %s: %d bytes, %v", name, what, len(got), err)
			}
		}
	}
}

func TestDamagedPacksAreNoticed(t *testing.T) {
	k := keys()
	object, _ := sample(k, seal.Off, text(3000), text(2000))
	read := func(key catalog.PackID, object []byte, size int) error {
		_, err := pack.ReadDirectory(k, key, int64(size), (&reads{object: object}).at)
		return err
	}
	directory := int(binary.LittleEndian.Uint32(object[len(object)-8:]))
	for i := len(object) - 8 - directory; i < len(object); i++ { // every byte of the directory and the trailer
		damaged := bytes.Clone(object)
		damaged[i] ^= 0x10
		if err := read(id, damaged, len(object)); !errors.Is(err, seal.ErrDamaged) {
			t.Fatalf("byte %d of %d flipped: %v", i, len(object), err)
		}
	}
	for size := range len(object) {
		if err := read(id, object[:size], size); err == nil {
			t.Fatalf("truncated to %d of %d bytes, and not noticed", size, len(object))
		}
	}
	if err := read(catalog.PackID{}, object, len(object)); !errors.Is(err, seal.ErrDamaged) {
		t.Errorf("taken for another pack: %v", err)
	}
	if err := read(id, object[:len(object)-1], len(object)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("the store's error is lost: %v", err)
	}
	moved := append([]byte("more"), object...) // the directory authenticates, but the segments do not fill the pack
	if err := read(id, moved, len(moved)); !errors.Is(err, seal.ErrDamaged) {
		t.Errorf("a longer pack: %v", err)
	}
}

func TestKeyOfAPack(t *testing.T) {
	key := pack.Key(id)
	if key != "packs/ab/ab0000000000000000000000000000cd" {
		t.Errorf("key %s", key)
	}
	if got, ok := pack.ParseKey(key); got != id || !ok {
		t.Errorf("parsed as %s, %v", got, ok)
	}
	for _, bad := range []string{
		"", "packs/", "packs/ab/", key + "0", key[:len(key)-1], "packs/ac" + key[8:], strings.ToUpper(key),
		strings.Replace(key, "cd", "CD", 1), strings.Replace(key, "cd", "xy", 1), "journal" + key[5:], strings.Replace(key, "/ab/", "/ab-", 1),
	} {
		if got, ok := pack.ParseKey(bad); ok {
			t.Errorf("%q parsed as %s", bad, got)
		}
	}
}

func TestWriterTakesIDsOfOneScanOnly(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it took a segment of another scan")
		}
	}()
	pack.NewWriter(keys(), catalog.NewID(1, 1), id, nil).Append(catalog.NewID(2, 2), 0, []byte("x"), 1, nil)
}

// Everything in a pack but what a compressor makes is determined: keys, nonces, places.
func TestFormatIsThatOfTheGoldenFile(t *testing.T) {
	want, err := os.ReadFile(filepath.Join("testdata", "v1.hex"))
	if err != nil {
		t.Fatal(err)
	}
	golden, err := hex.DecodeString(strings.TrimSpace(string(want)))
	if err != nil {
		t.Fatal(err)
	}
	object, wantDirectory := sample(keys(), seal.Off, noise(40), noise(1))
	if !bytes.Equal(golden, object) {
		t.Errorf("packs are written as\n%x", object)
	}
	got, err := pack.ReadDirectory(keys(), id, int64(len(golden)), (&reads{object: golden}).at)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(wantDirectory, got); diff != "" {
		t.Error(diff)
	}
}
