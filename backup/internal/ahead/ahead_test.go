package ahead_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/bus3/bus3/backup/internal/ahead"
)

func numbers(n int) func(context.Context, func(int) error) error {
	return func(_ context.Context, fn func(int) error) error {
		for i := range n {
			if err := fn(i); err != nil {
				return err
			}
		}
		return nil
	}
}

func TestResultsComeInOrderAndNoMoreWorkThanTheLimitAtOnce(t *testing.T) {
	const limit = 3
	var now, most atomic.Int64
	var got []int
	err := ahead.Each(t.Context(), limit, numbers(200), func(_ context.Context, i int) int {
		n := now.Add(1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		defer now.Add(-1)
		return i * i
	}, func(_ context.Context, r int) error {
		got = append(got, r)
		return nil
	})
	if err != nil || len(got) != 200 || !slices.IsSorted(got) {
		t.Errorf("%v, %d results", err, len(got))
	}
	if most.Load() > limit {
		t.Errorf("%d at once", most.Load())
	}
}

func TestTheFirstErrorEndsIt(t *testing.T) {
	stop := errors.New("stop")
	same := func(_ context.Context, i int) int { return i }
	err := ahead.Each(t.Context(), 2, numbers(1<<30), same, func(_ context.Context, i int) error {
		if i == 5 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	err = ahead.Each(t.Context(), 2, func(_ context.Context, fn func(int) error) error {
		return errors.Join(fn(1), stop)
	}, same, func(context.Context, int) error { return nil })
	if !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = ahead.Each(ctx, 2, numbers(1<<30), same, func(context.Context, int) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
