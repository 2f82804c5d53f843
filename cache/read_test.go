package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/bus3/bus3/catalog"
	"golang.org/x/sync/errgroup"
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
		{&sparse, 0, 100_000, 0}, {&sparse, 99_999, 100_000, 99_999}, {&sparse, 100_000, 100_000, 400_000},
		{&sparse, 250_000, 250_000, 400_000}, {&sparse, 400_000, 1_500_000, 400_000}, {&sparse, 1_500_009, 1_500_009, 1_500_010},
		{&sparse, 1_500_010, -1, 1_500_010}, {&sparse, 2_000_000, -1, -1}, {&sparse, -1, -1, -1},
		{&tail, 0, 0, 1000}, {&tail, 999, 999, 1000}, {&tail, 1000, -1, 1000}, {&hole, 5, -1, 5}, {&hole, 70_000, -1, -1},
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

func TestManyReadersAtOnceWithLittleMemory(t *testing.T) {
	w := newWorld(t)
	w.packSize = 6 << 20
	data := noise(20<<20, 1)
	big := w.large("big", int64(len(data)), 700_000, span{0, data})
	var small []catalog.Entry
	for i := range 200 {
		small = append(small, w.small("small", data[i*5000:(i+1)*5000]))
	}
	w.ready()
	r := w.reader(Options{MemoryBytes: 6 << 20})
	var g errgroup.Group
	for n := range 12 {
		g.Go(func() error {
			rnd := rand.New(rand.NewPCG(uint64(n), 2))
			buf := make([]byte, 300_000)
			for i := range 60 {
				e, want := &big, data
				off := rnd.Int64N(int64(len(data)))
				switch n % 3 {
				case 0: // along the file
					off = int64(n)*1000 + int64(i)*int64(len(buf))
				case 1:
					k := (i*7 + n) % len(small)
					e, want, off = &small[k], data[k*5000:(k+1)*5000], rnd.Int64N(5000)
				}
				ctx, cancel := context.WithCancel(t.Context())
				if i%10 == 9 {
					cancel() // gives up; the others must not notice
				}
				got, err := r.ReadAt(ctx, e, buf, off)
				cancel()
				if err != nil && i%10 == 9 && errors.Is(err, context.Canceled) {
					continue
				}
				if err != nil {
					return err
				}
				if !bytes.Equal(buf[:got], want[off:min(off+int64(len(buf)), int64(len(want)))]) {
					return fmt.Errorf("reader %d: wrong bytes at %d", n, off)
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestOneFetchServesAllWhoWait(t *testing.T) {
	w := newWorld(t)
	data := noise(1000, 1)
	e := w.small("f", data)
	w.ready()
	gate := make(chan struct{})
	w.fault = func(ctx context.Context, _ string, _ int64) error {
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r := w.reader(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := r.ReadAt(ctx, &e, make([]byte, 10), 0); !errors.Is(err, context.Canceled) {
			t.Errorf("the one who gave up got %v", err)
		}
	})
	eventually(t, "the fetch", func() bool { return w.gets.Load() == 1 })
	for range 5 {
		wg.Go(func() { readAll(t, r, &e, data, 1000) })
	}
	waiters := func() (n int) {
		r.memory.mu.Lock()
		defer r.memory.mu.Unlock()
		for k, f := range r.memory.flights {
			if k.form == segment {
				n += f.waiters
			}
		}
		return n
	}
	eventually(t, "that all wait", func() bool { return waiters() == 6 })
	cancel()
	eventually(t, "that one gives up", func() bool { return waiters() == 5 })
	close(gate)
	wg.Wait()
	if n := w.gets.Load(); n != 1 {
		t.Errorf("%d GETs", n)
	}
}

func TestAFetchThatNobodyWaitsForEnds(t *testing.T) {
	w := newWorld(t)
	e := w.small("f", noise(1000, 1))
	w.ready()
	ended := make(chan struct{})
	w.fault = func(ctx context.Context, _ string, _ int64) error {
		<-ctx.Done()
		close(ended)
		return ctx.Err()
	}
	r := w.reader(Options{})
	ctx, cancel := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if _, err := r.ReadAt(ctx, &e, make([]byte, 10), 0); !errors.Is(err, context.Canceled) {
			t.Errorf("the one who gave up got %v", err)
		}
	})
	eventually(t, "the fetch", func() bool { return w.gets.Load() == 1 })
	cancel()
	wg.Wait()
	<-ended
	w.fault = nil
	readAll(t, r, &e, noise(1000, 1), 1000) // and who comes later starts anew
}

func TestTheStoreMayGoAwayAndComeBack(t *testing.T) {
	w := newWorld(t)
	data := noise(3<<20, 1)
	e := w.large("f", int64(len(data)), 700_000, span{0, data})
	w.ready()
	w.fault = func(context.Context, string, int64) error { return errAway }
	r := w.reader(Options{})
	for range 3 {
		if n, err := r.ReadAt(t.Context(), &e, make([]byte, 2<<20), 100); n != 0 || !errors.Is(err, errAway) {
			t.Fatalf("%d bytes, %v", n, err)
		}
	}
	eventually(t, "that nothing is on its way", func() bool {
		r.memory.mu.Lock()
		defer r.memory.mu.Unlock()
		return len(r.memory.flights) == 0
	})
	w.fault = nil
	readAll(t, r, &e, data, 1<<20)
}
