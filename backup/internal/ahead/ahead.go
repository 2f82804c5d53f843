// Package ahead works on a stream of things some steps ahead of who takes the results, which come in the stream's order.
package ahead

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Each calls work for all that list produces, at most limit at a time and limit ahead, and take for the results in the
// order of the list. It ends with the first error of list or take, or that of ctx. Work ends early when its context does.
func Each[T, R any](ctx context.Context, limit int, list func(ctx context.Context, fn func(T) error) error, work func(context.Context, T) R, take func(context.Context, R) error) error {
	queue := make(chan chan R, limit)
	group, ctx := errgroup.WithContext(ctx)
	var workers errgroup.Group
	workers.SetLimit(limit)
	group.Go(func() error {
		defer close(queue)
		return list(ctx, func(item T) error {
			slot := make(chan R, 1)
			select {
			case queue <- slot:
			case <-ctx.Done():
				return ctx.Err()
			}
			workers.Go(func() error {
				slot <- work(ctx, item)
				return nil
			})
			return nil
		})
	})
	group.Go(func() error {
		for slot := range queue {
			if err := take(ctx, <-slot); err != nil {
				return err
			}
		}
		return nil
	})
	err := group.Wait()
	_ = workers.Wait() // their results go through the slots
	return err
}
