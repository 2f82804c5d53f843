package s3store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"
)

// minRate is the slowest transfer that is not given up, in bytes per second, where no limit was asked for.
const minRate = 16 << 10

// errStalled ends an attempt in which nothing moved for too long.
var errStalled = errors.New("no answer in time")

// patience says for how long an operation is tried.
type patience struct {
	total time.Duration // after this, no attempt begins, and one that has not moved a byte ends
	stall time.Duration // an attempt ends when nothing moves for so long
	pause time.Duration // the longest pause between attempts
}

func newPatience(total time.Duration) patience {
	return patience{total: total, stall: total / 3, pause: min(total/20, 5*time.Second)}
}

// attempt is one try of an operation.
type attempt struct {
	number int    // from 0
	moved  func() // tells that bytes have moved: the attempt is alive
}

// temporary is an error after which another attempt makes sense.
type temporary struct{ error }

func (t temporary) Unwrap() error { return t.error }

// try calls f until it succeeds, fails for good, or patience is at its end: then with an error that is ErrUnavailable
// and wraps the last cause. f tells by the type temporary what is worth another attempt. size is what f transfers, in
// bytes, or -1 if that is limited to a rate and so may take any time.
func (p patience) try(ctx context.Context, size int64, f func(ctx context.Context, a attempt) error) error {
	start := time.Now()
	end := start.Add(p.total)
	whole := ctx
	if size >= 0 {
		var cancel context.CancelFunc
		whole, cancel = context.WithDeadline(ctx, end.Add(time.Duration(size)*time.Second/minRate))
		defer cancel()
	}
	var answer error // the last cause that is more than silence
	for number := 0; ; number++ {
		err := p.once(whole, number, end, f)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		var again temporary
		if !errors.As(err, &again) {
			return err
		}
		cause := again.error
		if cause != errStalled {
			answer = cause
		} else if answer != nil {
			cause = fmt.Errorf("%w; before that: %w", errStalled, answer)
		}
		pause := p.backoff(number)
		if time.Now().Add(pause).After(end) {
			waited := time.Since(start).Round(time.Millisecond)
			return fmt.Errorf("%w (tried %d times in %s): %w", ErrUnavailable, number+1, waited, cause)
		}
		if err := sleep(ctx, pause); err != nil {
			return err
		}
	}
}

// once makes one attempt and ends it when it stalls.
func (p patience) once(ctx context.Context, number int, end time.Time, f func(context.Context, attempt) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(max(min(p.stall, time.Until(end)), time.Millisecond), func() { cancel(errStalled) })
	defer watch.Stop()
	err := f(ctx, attempt{number: number, moved: func() { watch.Reset(p.stall) }})
	if err != nil && ctx.Err() != nil {
		return temporary{errStalled} // or the caller gave up: try tells them apart
	}
	return err
}

// backoff doubles from 50 ms to p.pause, and takes a random half to whole of that.
func (p patience) backoff(number int) time.Duration {
	d := min(50*time.Millisecond<<min(number, 10), p.pause)
	return d/2 + rand.N(d/2+1)
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
