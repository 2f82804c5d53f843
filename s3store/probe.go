package s3store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
)

// probe is ProbeConditional of any store. What is left of it should the second half fail is garbage below "probe/".
func probe(ctx context.Context, s Store) error {
	key := "probe/" + strings.ToLower(rand.Text())
	if err := s.PutNew(ctx, key, []byte("first")); err != nil {
		return err
	}
	err := s.PutNew(ctx, key, []byte("second"))
	if deleteErr := s.Delete(ctx, key); deleteErr != nil && !errors.Is(deleteErr, ErrDenied) {
		return deleteErr // denied is well: stores that only grow are a good idea
	}
	switch {
	case err == nil:
		return fmt.Errorf("%s: %w", s, ErrUnconditional)
	case errors.Is(err, ErrExists):
		return nil
	}
	return err
}

// ProbeConditional tries whether the server keeps If-None-Match.
func (s *S3) ProbeConditional(ctx context.Context) error { return probe(ctx, s) }
