package cache

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/bus3/bus3/catalog"
)

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
