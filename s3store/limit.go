package s3store

import (
	"context"

	"golang.org/x/time/rate"
)

// limit holds transfers to a number of bytes per second; a nil one holds nothing back.
type limit struct {
	bucket *rate.Limiter
	piece  int // bytes that are moved at a time
}

// newLimit limits to perSecond bytes, 0 for no limit. Pieces are an eighth of a second's worth, so that the rate is even
// and a slow one still shows progress, between 1 byte and 256 KiB: more would gain nothing.
func newLimit(perSecond int64) *limit {
	if perSecond <= 0 {
		return nil
	}
	piece := int(min(max(perSecond/8, 1), 256<<10))
	return &limit{bucket: rate.NewLimiter(rate.Limit(perSecond), piece), piece: piece}
}

// cut is how many of n bytes may be moved at once.
func (l *limit) cut(n int) int {
	if l == nil {
		return n
	}
	return min(n, l.piece)
}

// wait returns when n bytes, at most a piece, may move or ctx is done.
func (l *limit) wait(ctx context.Context, n int) error {
	if l == nil || n == 0 {
		return nil
	}
	return l.bucket.WaitN(ctx, n)
}
