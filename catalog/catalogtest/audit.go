package catalogtest

import (
	"cmp"
	"context"
	"slices"
	"testing"

	"github.com/bus3/bus3/catalog"
	gocmp "github.com/google/go-cmp/cmp"
)

func testVerified(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	for _, text := range []string{"a", "b", "c", "d"} {
		s.Chunks(text)
	}
	packs := slices.Clone(s.Batch.Packs)
	s.Finish()
	must(t, cat.MarkVerified(ctx, []catalog.ID{packs[0].ID, packs[2].ID}, 2000))
	must(t, cat.MarkVerified(ctx, []catalog.ID{packs[1].ID}, 1000))
	var got []catalog.Pack
	var times []int64
	must(t, cat.EachPack(ctx, func(p *catalog.Pack, verified int64) error {
		got, times = append(got, *p), append(times, verified)
		return nil
	}))
	if diff := gocmp.Diff([]catalog.Pack{packs[3], packs[1], packs[0], packs[2]}, got); diff != "" {
		t.Error(diff)
	}
	if diff := gocmp.Diff([]int64{0, 1000, 2000, 2000}, times); diff != "" {
		t.Error(diff)
	}
}

func testUsers(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	root := s.Root()
	chunks := s.Chunks("a", "b", "c")
	content := s.ID()
	s.Batch.Pieces = []catalog.Piece{{Content: content, Chunk: chunks[0]}, {Content: content, Offset: 1, Chunk: chunks[1]}}
	a := s.Open(catalog.Entry{Dir: root.Ino, Name: "a", Chunk: chunks[0]})
	s.Open(catalog.Entry{Dir: root.Ino, Name: "c", Chunk: chunks[2]})
	ab := s.Open(catalog.Entry{Dir: root.Ino, Name: "ab", Content: content})
	s.Finish()
	s = Begin(t, cat, "host", "/")
	s.Close(a)
	s.Finish()
	for _, c := range []struct{ chunks, want []catalog.ID }{
		{chunks[:1], []catalog.ID{a.ID, ab.ID}},
		{chunks[1:2], []catalog.ID{ab.ID}},
		{chunks[:2], []catalog.ID{a.ID, ab.ID}},
	} {
		var got []catalog.ID
		must(t, cat.Users(ctx, c.chunks, func(e *catalog.Entry) error { got = append(got, e.ID); return nil }))
		slices.Sort(got)
		if diff := gocmp.Diff(c.want, got); diff != "" {
			t.Error(diff)
		}
	}
}

func testDangling(t *testing.T, e Engine) {
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	root := s.Root()
	sound := s.Chunks("sound")[0]
	content := s.ID()
	s.Batch.Pieces = []catalog.Piece{{Content: content, Chunk: sound}}
	s.Open(catalog.Entry{Dir: root.Ino, Name: "1", Chunk: sound, Owner: s.Value([]byte("o"))})
	s.Open(catalog.Entry{Dir: root.Ino, Name: "2", Content: content, Xattrs: s.Value([]byte("x"))})

	var want []catalog.Dangling
	lost := func(from catalog.ID, kind catalog.Thing, what catalog.Thing, to catalog.ID) {
		want = append(want, catalog.Dangling{FromKind: kind, From: from, ToKind: what, To: to})
	}
	open := func(e catalog.Entry) catalog.ID { return s.Open(e).ID }
	to := s.ID()
	lost(open(catalog.Entry{Dir: root.Ino, Name: "3", Chunk: to}), catalog.EntryThing, catalog.ChunkThing, to)
	lost(open(catalog.Entry{Dir: root.Ino, Name: "4", Content: to}), catalog.EntryThing, catalog.ContentThing, to)
	lost(open(catalog.Entry{Dir: root.Ino, Name: "5", Owner: to}), catalog.EntryThing, catalog.ValueThing, to)
	lost(open(catalog.Entry{Dir: root.Ino, Name: "6", Xattrs: to}), catalog.EntryThing, catalog.ValueThing, to)
	lost(open(catalog.Entry{Dir: to, Name: "7"}), catalog.EntryThing, catalog.DirectoryThing, to)
	file := s.Open(catalog.Entry{Dir: root.Ino, Name: "8"})
	lost(open(catalog.Entry{Dir: file.Ino, Name: "9"}), catalog.EntryThing, catalog.DirectoryThing, file.Ino)
	piece := catalog.Piece{Content: s.ID(), Chunk: to}
	chunk := catalog.Chunk{ID: s.ID(), Segment: to, Length: 1}
	segment := catalog.Segment{ID: s.ID(), Pack: to, Stored: 1, Length: 1}
	s.Batch.Pieces = append(s.Batch.Pieces, piece)
	s.Batch.Chunks = append(s.Batch.Chunks, chunk)
	s.Batch.Segments = append(s.Batch.Segments, segment)
	lost(piece.Content, catalog.ContentThing, catalog.ChunkThing, to)
	lost(chunk.ID, catalog.ChunkThing, catalog.SegmentThing, to)
	lost(segment.ID, catalog.SegmentThing, catalog.PackThing, to)
	s.Finish()

	var got []catalog.Dangling
	must(t, cat.Dangling(context.Background(), func(d catalog.Dangling) error { got = append(got, d); return nil }))
	byFrom := func(a, b catalog.Dangling) int { return cmp.Compare(a.From, b.From) }
	slices.SortFunc(got, byFrom)
	slices.SortFunc(want, byFrom)
	if diff := gocmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
