package catalogtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/google/go-cmp/cmp"
)

func testKnown(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	ids := s.Chunks("a", "b", "a")
	// One byte behind what is indexed differs; and one whose segment is not there, one whose pack is not.
	near := HashOf("near")
	s.Batch.Chunks = append(s.Batch.Chunks, catalog.Chunk{ID: s.ID(), Hash: near, Segment: s.Batch.Segments[0].ID, Length: 1})
	s.Batch.Chunks = append(s.Batch.Chunks, catalog.Chunk{ID: s.ID(), Hash: HashOf("no segment"), Segment: s.ID(), Length: 1})
	seg := catalog.Segment{ID: s.ID(), Pack: s.ID(), Stored: 1, Length: 1}
	s.Batch.Segments = append(s.Batch.Segments, seg)
	s.Batch.Chunks = append(s.Batch.Chunks, catalog.Chunk{ID: s.ID(), Hash: HashOf("no pack"), Segment: seg.ID, Length: 1})
	nearID := s.Batch.Chunks[3].ID
	value := s.Value([]byte("value"))
	s.Finish()
	other := near
	other[31] ^= 1
	hashes := []catalog.Hash{HashOf("b"), HashOf("unknown"), near, HashOf("a"), other, HashOf("no segment"), HashOf("no pack"), HashOf("b")}
	got := make([]catalog.ID, len(hashes))
	got[1] = 5
	must(t, cat.KnownChunks(ctx, hashes, got))
	if got[3] != ids[0] && got[3] != ids[2] {
		t.Errorf("chunk a is %s", got[3])
	}
	got[3] = 0
	if diff := cmp.Diff([]catalog.ID{ids[1], 0, nearID, 0, 0, 0, 0, ids[1]}, got); diff != "" {
		t.Error(diff)
	}
	got = make([]catalog.ID, 2)
	must(t, cat.KnownValues(ctx, []catalog.Hash{{}, catalog.HashValue([]byte("value"))}, got))
	if diff := cmp.Diff([]catalog.ID{0, value}, got); diff != "" {
		t.Error(diff)
	}
}

func places(t testing.TB, get func(func(*catalog.Place) error) error) map[catalog.ID]catalog.Place {
	t.Helper()
	got := map[catalog.ID]catalog.Place{}
	must(t, get(func(p *catalog.Place) error { got[p.Chunk] = *p; return nil }))
	return got
}

func testPlaces(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	Begin(t, cat, "other", "/").Finish()
	s := Begin(t, cat, "host", "/")
	first := s.Chunks("one", "two", "three")
	rest := s.Chunks("four")
	want := map[catalog.ID]catalog.Place{}
	for _, c := range s.Batch.Chunks {
		n := 0
		if c.Segment != s.Batch.Segments[0].ID {
			n = 1
		}
		want[c.ID] = catalog.Place{Chunk: c.ID, Hash: c.Hash, Offset: c.Offset, Length: c.Length, Segment: s.Batch.Segments[n], Pack: s.Batch.Packs[n]}
	}
	packs := []catalog.ID{s.Batch.Packs[0].ID, s.Batch.Packs[1].ID}
	s.Finish()
	s = Begin(t, cat, "host", "/")
	next := s.Chunks("five")
	s.Finish()

	asked := []catalog.ID{rest[0], first[2], catalog.NewID(5, 5), first[0], first[1]}
	if diff := cmp.Diff(want, places(t, func(fn func(*catalog.Place) error) error { return cat.ChunkPlaces(ctx, asked, fn) })); diff != "" {
		t.Error(diff)
	}
	for pack, ids := range map[catalog.ID][]catalog.ID{packs[0]: first, packs[1]: rest} {
		var got []catalog.ID
		must(t, cat.EachPlace(ctx, pack, func(p *catalog.Place) error { got = append(got, p.Chunk); return nil }))
		if diff := cmp.Diff(ids, got); diff != "" {
			t.Error(diff)
		}
	}
	for _, c := range []struct {
		from  catalog.ID
		limit int
		want  []catalog.ID
	}{
		{first[1], 100, []catalog.ID{first[1], first[2], rest[0]}}, // not those of the next scan
		{first[0], 2, first[:2]},
		{rest[0] + 1, 10, nil},
		{next[0], 10, next},
	} {
		var got []catalog.ID
		must(t, cat.PlacesFrom(ctx, c.from, c.limit, func(p *catalog.Place) error { got = append(got, p.Chunk); return nil }))
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("from %s: %s", c.from, diff)
		}
	}
}

func testPieces(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	chunks := s.Chunks(strings.Repeat("a", 100), strings.Repeat("b", 100), strings.Repeat("c", 50))
	content, broken, overlap := s.ID(), s.ID(), s.ID()
	// 0–100, 100–200, hole, 300–350, hole, 1000–1100
	s.Batch.Pieces = []catalog.Piece{{Content: content, Offset: 100, Chunk: chunks[1]}, {Content: content, Offset: 0, Chunk: chunks[0]}}
	s.Apply()
	s.Batch.Pieces = []catalog.Piece{
		{Content: content, Offset: 300, Chunk: chunks[2]},
		{Content: content, Offset: 1000, Chunk: chunks[0]},
		{Content: broken, Offset: 0, Chunk: chunks[0]},
		{Content: broken, Offset: 100, Chunk: s.ID()},
		{Content: overlap, Offset: 0, Chunk: chunks[0]},
		{Content: overlap, Offset: 99, Chunk: chunks[1]},
	}
	s.Finish()
	for _, c := range []struct {
		from  int64
		limit int
		want  string
	}{
		{0, 10, "0 100 300 1000"},
		{99, 10, "0 100 300 1000"},
		{100, 1, "100"},
		{100, 2, "100 300"},
		{199, 10, "100 300 1000"},
		{200, 10, "300 1000"},
		{200, 1, "300"},
		{349, 10, "300 1000"},
		{350, 10, "1000"},
		{1099, 10, "1000"},
		{1100, 10, ""},
		{1 << 62, 10, ""},
		{0, 0, ""},
	} {
		var got []string
		must(t, cat.Pieces(ctx, content, c.from, c.limit, func(p *catalog.PlacedPiece) error {
			got = append(got, fmt.Sprint(p.Offset))
			return p.Place.Check()
		}))
		if diff := cmp.Diff(c.want, strings.Join(got, " ")); diff != "" {
			t.Errorf("from %d, at most %d: %s", c.from, c.limit, diff)
		}
	}
	ignore := func(*catalog.PlacedPiece) error { return nil }
	wantErr(t, catalog.ErrInvalid, cat.Pieces(ctx, broken, 0, 10, ignore))
	wantErr(t, catalog.ErrInvalid, cat.Pieces(ctx, overlap, 0, 10, ignore))
	must(t, cat.Pieces(ctx, catalog.NewID(9, 9), 0, 10, func(*catalog.PlacedPiece) error { return errors.New("there is a piece") }))

	got := map[catalog.ID]int64{}
	must(t, cat.ContentBytes(ctx, []catalog.ID{content, catalog.NewID(9, 9), broken, overlap}, func(id catalog.ID, n int64) error {
		got[id] = n
		return nil
	}))
	if diff := cmp.Diff(map[catalog.ID]int64{content: 350, overlap: 200}, got); diff != "" {
		t.Error(diff)
	}
}

func testValues(t *testing.T, e Engine) {
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	texts := [][]byte{{0}, []byte("x\x00y"), bytes.Repeat([]byte{0xff}, 1<<20), bytes.Repeat([]byte{1}, 300<<10)}
	want := map[catalog.ID]string{}
	var ids []catalog.ID
	for _, text := range texts {
		id := s.Value(text)
		ids = append(ids, id)
		want[id] = string(text)
	}
	s.Finish()
	got := map[catalog.ID]string{}
	must(t, cat.Values(context.Background(), append(ids, catalog.NewID(8, 8)), func(v *catalog.Value) error {
		got[v.ID] = string(v.Bytes)
		if v.Hash != catalog.HashValue(v.Bytes) {
			t.Errorf("value %s has hash %s", v.ID, v.Hash)
		}
		return nil
	}))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error("values differ")
	}
}
