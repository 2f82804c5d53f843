package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func sample() ([]row, results) {
	rows := []row{
		{"copy", "s", "do-nothing server", []bound{times(1.4, limit), times(0.4, "kopia"), times(2, "restic")}},
		{"ready", "s", "", []bound{atMost(0.3)}},
		{"per PUT", "MiB", "", []bound{atLeast(24)}},
		{"far copy", "s", "", []bound{timesRow(2, "copy")}},
		{"never measured", "s", "", []bound{atMost(1)}},
	}
	r := results{}
	for _, v := range []float64{9, 7, 8} {
		r.add("copy", "bus3 sqlite", v)
	}
	r.add("copy", "kopia", 30)
	r.add("copy", "kopia", 10)
	r.add("copy", limit, 6)
	r.add("ready", "bus3 sqlite", 0.3)
	r.add("ready", "bus3 postgres", 0.31)
	r.add("per PUT", "bus3 sqlite", 23.9)
	r.add("far copy", "bus3 sqlite", 16)
	return rows, r
}

func TestMediansAreOfTheMiddle(t *testing.T) {
	_, r := sample()
	if odd, ok := r.median("copy", "bus3 sqlite"); !ok || odd != 8 {
		t.Errorf("the median of 9, 7, 8 is %v, %v", odd, ok)
	}
	if even, ok := r.median("copy", "kopia"); !ok || even != 20 {
		t.Errorf("the median of 30, 10 is %v, %v", even, ok)
	}
	if _, ok := r.median("copy", "restic"); ok {
		t.Error("there is a median of nothing")
	}
	if diff := cmp.Diff([]float64{9, 7, 8}, r["copy"]["bus3 sqlite"]); diff != "" {
		t.Errorf("a median changed the order of the values: %s", diff)
	}
}

func TestBoundsAreJudgedByMedians(t *testing.T) {
	rows, r := sample()
	for _, c := range []struct {
		row, bound int
		subject    string
		want       outcome
		says       string
	}{
		{0, 0, "bus3 sqlite", met, "copy, bus3 sqlite: 8 s, that is 1.333 × limit (6 s); at most 1.4 ×"},
		{0, 1, "bus3 sqlite", met, "0.4 × kopia (20 s)"},
		{0, 2, "bus3 sqlite", unknown, "restic was not measured"},
		{1, 0, "bus3 sqlite", met, "0.3 s; at most 0.3 s"},
		{1, 0, "bus3 postgres", missed, "0.31 s; at most 0.3 s"},
		{2, 0, "bus3 sqlite", missed, "23.9 MiB; at least 24 MiB"},
		{3, 0, "bus3 sqlite", met, "2 × “copy” (8 s)"},
	} {
		w := &rows[c.row]
		got := r.judge(w, w.Bounds[c.bound], c.subject)
		if got.Outcome != c.want || !strings.Contains(got.Words, c.says) {
			t.Errorf("%s, bound %d: %v %q; want %v and %q", w.Name, c.bound, got.Outcome, got.Words, c.want, c.says)
		}
	}
}

func TestTableAndWords(t *testing.T) {
	rows, r := sample()
	var got bytes.Buffer
	table(&got, rows, r)
	words(&got, rows, r)
	want := `| row | bus3 sqlite | bus3 postgres | kopia | limit | bus3 must reach |
|---|---|---|---|---|---|
| copy (s) | 8 (7–9) | – | 20 (10–30) | 6 (do-nothing server) | ≤ 1.4 × limit ✓; ≤ 0.4 × kopia ✓; ≤ 2 × restic ? |
| ready (s) | 0.3 | 0.31 | – | – | ≤ 0.3 ✓ ✗ |
| per PUT (MiB) | 23.9 | – | – | – | ≥ 24 ✗ |
| far copy (s) | 16 | – | – | – | ≤ 2 × “copy” ✓ |

4 targets met, 2 missed, 1 not judged.
* missed: ready, bus3 postgres: 0.31 s; at most 0.3 s
* missed: per PUT, bus3 sqlite: 23.9 MiB; at least 24 MiB
* not judged: copy, bus3 sqlite: 8 s; restic was not measured
`
	if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Error(diff)
	}
}

func TestNumbersAreShort(t *testing.T) {
	for v, want := range map[float64]string{0: "0", 3: "3", 0.1: "0.1", 1.23456: "1.235", 12.345: "12.3", 123.45: "123", 50000: "50000", 2.0004: "2"} {
		if got := short(v); got != want {
			t.Errorf("%v is written as %s, want %s", v, got, want)
		}
	}
}

func TestRowsAreDistinctAndReferToEachOther(t *testing.T) {
	s, err := readSettings(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	rows, names := allRows(s), map[string]bool{}
	for i := range rows {
		if names[rows[i].Name] {
			t.Errorf("there are two rows %q", rows[i].Name)
		}
		names[rows[i].Name] = true
		for _, b := range rows[i].Bounds {
			if b.Row != "" && !names[b.Row] {
				t.Errorf("the bound of %q refers to %q, which is not measured before it", rows[i].Name, b.Row)
			}
			if strings.Contains(rows[i].Limit, "|") {
				t.Errorf("%q breaks the table", rows[i].Limit)
			}
		}
	}
}

func TestLongRowsAreMeasuredOnlyWhenAskedFor(t *testing.T) {
	for rows, want := range map[string]map[string]bool{
		"":            {"backup usr": true, "latency 50 ms cp big": true, "growth first, 10000 files": false, "scans catalog, 1 scans": false, "large backup": false},
		"mount":       {"mount cp big": true, "memory mount big": false, "backup usr": false},
		"mount .*usr": {"mount cp -a usr": true, "mount cp big": false},
		"growth":      {"growth first, 10000 files": true, "backup usr": false},
	} {
		s, err := readSettings(func(name string) string { return map[string]string{"ROWS": rows}[name] })
		if err != nil {
			t.Fatal(err)
		}
		b := &bench{set: s}
		for row, is := range want {
			if b.wants(row) != is {
				t.Errorf("ROWS=%q: %q is wanted: %v", rows, row, !is)
			}
		}
	}
}

func TestWrongSettingsAreErrors(t *testing.T) {
	for _, pair := range []string{"FILES=many", "REPEAT=0", "ROWS=(", "CATALOGS=oracle", "GROWTH=100,10", "KOPIA=/no/such/program"} {
		name, value, _ := strings.Cut(pair, "=")
		_, err := readSettings(func(asked string) string { return map[string]string{name: value}[asked] })
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", pair, err)
		}
	}
}

func TestThePlotIsWellFormed(t *testing.T) {
	s := &settings{Growth: []int{10, 100, 1000}}
	r := results{}
	if growthPlot(s, r) != nil {
		t.Error("something was drawn out of nothing")
	}
	for i, n := range s.Growth {
		r.add(growthName("first", n), "bus3 sqlite", 0.1*float64(i+1))
		r.add(growthName("unchanged", n), "bus3 sqlite", 0.05)
	}
	drawing := growthPlot(s, r)
	lines := 0
	for d := xml.NewDecoder(bytes.NewReader(drawing)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%v\n%s", err, drawing)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "polyline" {
			lines++
		}
	}
	if lines != 2 {
		t.Errorf("%d lines are drawn, want 2\n%s", lines, drawing)
	}
}

func TestACorpusThatDoesNotFitIsRefused(t *testing.T) {
	b := &bench{set: &settings{Files: 1 << 40, Big: 1, BigMiB: 1}, stage: stage{dir: t.TempDir()}}
	if err := b.checkRoom("small50k"); err == nil || !strings.Contains(err.Error(), "FILES=") {
		t.Errorf("a corpus larger than any memory: %v", err)
	}
}
