package catalogtest

import (
	"context"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/google/go-cmp/cmp"
)

func testScans(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	one := BeginBatch(t, cat, "host", "/")
	must(t, cat.Apply(ctx, one))
	s := Continue(t, cat, one)
	want := catalog.Scan{
		Number: 0, Source: one.Begin.Source, Started: one.Begin.Started, State: catalog.Incomplete, Tags: one.Begin.Tags, Program: one.Begin.Program,
		Parts: 1, Digest: one.Digest,
	}
	got, err := cat.Scan(ctx, 0)
	must(t, err)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatal(diff)
	}
	problems := []catalog.Problem{{Path: "/z\xff\x00", Message: "open: permission denied"}, {Path: "/a", Message: ""}, {Path: "/m", Message: "x"}}
	s.Batch.Problems = problems[:2]
	s.Apply()
	s.Batch.Problems = problems[2:]
	counts := catalog.Counts{
		Files: 1, Dirs: 2, Others: 3, New: 4, Changed: 5, Unchanged: 6, Removed: 7, Bytes: 8, BytesRead: 9, BytesNew: 10, BytesStored: 11, Objects: 12,
		Problems: 13, EntriesOpened: 14, EntriesClosed: 1 << 62,
	}
	s.Batch.End = &catalog.End{Finished: 17, State: catalog.Partial, Counts: counts}
	s.Apply()
	want.State, want.Finished, want.Counts, want.Parts, want.Digest = catalog.Partial, 17, counts, 3, digestOf(0, 2)

	two := BeginBatch(t, cat, "host", "/")
	two.Begin.Tags = nil
	must(t, cat.Apply(ctx, two))
	second := catalog.Scan{Number: 1, Source: one.Begin.Source, Started: two.Begin.Started, State: catalog.Incomplete, Program: two.Begin.Program, Parts: 1, Digest: two.Digest}
	var all []catalog.Scan
	must(t, cat.Scans(ctx, func(s *catalog.Scan) error { all = append(all, *s); return nil }))
	if diff := cmp.Diff([]catalog.Scan{want, second}, all); diff != "" {
		t.Fatal(diff)
	}
	newest, err := cat.NewestScan(ctx, s.Source)
	must(t, err)
	if diff := cmp.Diff(second, newest); diff != "" {
		t.Fatal(diff)
	}
	var told []catalog.Problem
	must(t, cat.Problems(ctx, 0, func(p *catalog.Problem) error { told = append(told, *p); return nil }))
	if diff := cmp.Diff(problems, told); diff != "" {
		t.Fatal(diff)
	}
	if n, err := cat.NextScan(ctx); n != 2 || err != nil {
		t.Fatal(n, err)
	}
}
