package cache

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"github.com/bus3/bus3/catalog"
)

func TestReadGivesWhatWasStored(t *testing.T) {
	w := newWorld(t)
	text := []byte(strings.Repeat("a line that compresses well\n", 80_000))
	random := noise(9<<20+17, 1)
	type file struct {
		e    catalog.Entry
		data []byte
	}
	files := []file{
		{w.small("empty", nil), nil},
		{w.small("one byte", []byte{9}), []byte{9}},
		{w.small("small", random[:5000]), random[:5000]},
		{w.large("text", int64(len(text)), 600_000, span{0, text}), text},
		{w.large("random", int64(len(random)), 700_001, span{0, random}), random},
	}
	for i := range 40 {
		data := noise(4096+i, uint64(i+10))
		files = append(files, file{w.small(fmt.Sprintf("file %d", i), data), data})
	}
	w.ready()
	for _, memory := range []int64{0, 1 << 20} {
		r := w.reader(Options{MemoryBytes: memory})
		for i := range files {
			readAll(t, r, &files[i].e, files[i].data, 131072)
			readAll(t, r, &files[i].e, files[i].data, 3<<20)
		}
	}
}

func TestHolesReadAsZeros(t *testing.T) {
	w := newWorld(t)
	data := noise(300_000, 1)
	want := make([]byte, 2_000_000)
	copy(want[100_000:], data)
	copy(want[1_500_000:], data[:10])
	sparse := w.large("sparse", int64(len(want)), 64_000, span{100_000, data}, span{1_500_000, data[:10]})
	tail := w.small("tail", data[:1000])
	tail.Size = 5000 // what goes beyond the chunk is a hole
	hole := catalog.Entry{Kind: catalog.File, Name: "hole", Size: 70_000}
	w.ready()
	r := w.reader(Options{})
	readAll(t, r, &sparse, want, 4096)
	readAll(t, r, &sparse, want, 1<<20)
	readAll(t, r, &tail, append(bytes.Clone(data[:1000]), make([]byte, 4000)...), 700)
	readAll(t, r, &hole, make([]byte, 70_000), 4096)

	for _, c := range []struct {
		e               *catalog.Entry
		off, data, hole int64 // -1: ENXIO
	}{
		{&sparse, 0, 100_000, 0},
		{&sparse, 99_999, 100_000, 99_999},
		{&sparse, 100_000, 100_000, 400_000},
		{&sparse, 250_000, 250_000, 400_000},
		{&sparse, 400_000, 1_500_000, 400_000},
		{&sparse, 1_500_009, 1_500_009, 1_500_010},
		{&sparse, 1_500_010, -1, 1_500_010},
		{&sparse, 2_000_000, -1, -1},
		{&sparse, -1, -1, -1},
		{&tail, 0, 0, 1000},
		{&tail, 999, 999, 1000},
		{&tail, 1000, -1, 1000},
		{&hole, 5, -1, 5},
		{&hole, 70_000, -1, -1},
	} {
		check := func(what string, got int64, err error, want int64) {
			if want < 0 && !errors.Is(err, syscall.ENXIO) || want >= 0 && (err != nil || got != want) {
				t.Errorf("%s: %s from %d: %d, %v; want %d", c.e.Name, what, c.off, got, err, want)
			}
		}
		got, err := r.NextData(t.Context(), c.e, c.off)
		check("data", got, err, c.data)
		got, err = r.NextHole(t.Context(), c.e, c.off)
		check("hole", got, err, c.hole)
	}
}

func TestHolesAndDataBeyondOneWindow(t *testing.T) {
	w := newWorld(t)
	data := noise(3*windowRows*64, 1)
	e := w.large("many pieces", int64(len(data))+100, 64, span{0, data})
	w.ready()
	r := w.reader(Options{})
	if hole, err := r.NextHole(t.Context(), &e, 10); err != nil || hole != int64(len(data)) {
		t.Errorf("hole at %d, %v; want %d", hole, err, len(data))
	}
	readAll(t, r, &e, append(data, make([]byte, 100)...), 100_000)
}

func TestHugeHolesCostFewQueries(t *testing.T) {
	w := newWorld(t)
	e := w.large("huge", 1<<40, 4096, span{1<<40 - 4096, noise(4096, 1)})
	w.ready()
	r := w.reader(Options{})
	data, err := r.NextData(t.Context(), &e, 0)
	if err != nil || data != 1<<40-4096 {
		t.Errorf("data at %d, %v", data, err)
	}
	buf := make([]byte, 1<<20)
	for off := int64(0); off < 1<<40; off += 1 << 34 {
		if _, err := r.ReadAt(t.Context(), &e, buf, off); err != nil {
			t.Fatal(err)
		}
	}
	if n := w.queries.Load(); n > 2 {
		t.Errorf("%d queries for one hole", n)
	}
}

func TestPlacesOfManyFilesCostFewQueries(t *testing.T) {
	w := newWorld(t)
	var files []catalog.Entry
	for i := range 10 * windowRows {
		files = append(files, w.small("f", noise(16, uint64(i))))
	}
	w.ready()
	r := w.reader(Options{NoReadAhead: true})
	for i := range files {
		readAll(t, r, &files[i], noise(16, uint64(i)), 100)
	}
	if n := w.queries.Load(); n > 20 {
		t.Errorf("%d queries for %d files", n, len(files))
	}
	for i := len(files) - 1; i >= 0; i-- { // backwards as well
		readAll(t, r, &files[i], noise(16, uint64(i)), 100)
	}
	if n := w.queries.Load(); n > 20 {
		t.Errorf("%d queries for %d files, forwards and backwards", n, len(files))
	}
}

func TestOddReadsAreErrors(t *testing.T) {
	w := newWorld(t)
	good := w.small("good", noise(100, 1))
	w.ready()
	r := w.reader(Options{})
	buf := make([]byte, 10)
	gone := good
	gone.Chunk = catalog.NewID(7, 1<<30)
	for name, c := range map[string]struct {
		e    catalog.Entry
		off  int64
		want error
	}{
		"a directory":               {catalog.Entry{Kind: catalog.Directory, Size: 10}, 0, catalog.ErrInvalid},
		"before the start":          {good, -1, catalog.ErrInvalid},
		"a chunk without a row":     {gone, 0, catalog.ErrInvalid},
		"an unreadable file":        {catalog.Entry{Kind: catalog.File, Size: 10, Flags: catalog.Unreadable}, 0, ErrNotKept},
		"a file whose data is lost": {catalog.Entry{Kind: catalog.File, Size: 10, Flags: catalog.Lost}, 0, ErrNotKept},
	} {
		if n, err := r.ReadAt(t.Context(), &c.e, buf, c.off); n != 0 || !errors.Is(err, c.want) {
			t.Errorf("%s: %d bytes, %v; want %v", name, n, err, c.want)
		}
	}
	if n, err := r.ReadAt(t.Context(), &good, buf, 100); n != 0 || err != nil {
		t.Errorf("at the end: %d bytes, %v", n, err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.ReadAt(t.Context(), &good, buf, 0); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
