package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/test/versity"
)

const (
	putSize = 32 << 20 // like packs
	getSize = 4 << 20
	streams = 4
)

// limitOf records a command as the limit of a row.
func (r *round) limitOf(ctx context.Context, row string, c command) error {
	s, err := c.run(ctx)
	if err != nil {
		return err
	}
	r.add(row, limit, s.seconds)
	r.add(row+": cpu", limit, s.cpu)
	return nil
}

// limitOfBackup is reading everything once; for large files, which are no work to read, storing as many bytes.
func (r *round) limitOfBackup(ctx context.Context, row string) error {
	if r.corpus.name != "big" {
		// Through cat: tar does not read what goes to /dev/null.
		return r.limitOf(ctx, row, sh(`tar -cf - -C "$1" . | cat >/dev/null`, r.corpus.dir))
	}
	p, err := r.newPlace(ctx, r.s3.Endpoint())
	if err != nil {
		return err
	}
	seconds, err := puts(ctx, p, r.corpus.size.bytes)
	r.add(row, limit, seconds)
	return errors.Join(err, p.remove())
}

// limitOfCopy is copying the corpus itself; for large files out of a mount, and getting as many bytes.
func (r *round) limitOfCopy(ctx context.Context, row string) error {
	dest := filepath.Join(r.dir, "copy")
	s, err := copyCommand(r.corpus.dir, dest).run(ctx)
	err = errors.Join(err, os.RemoveAll(dest))
	if err != nil {
		return err
	}
	if row == "mount cp big" {
		p, err := r.newPlace(ctx, r.s3.Endpoint())
		if err != nil {
			return err
		}
		_, err = puts(ctx, p, r.corpus.size.bytes)
		seconds := 0.0
		if err == nil {
			seconds, err = gets(ctx, p, r.corpus.size.bytes)
		}
		if err := errors.Join(err, p.remove()); err != nil {
			return err
		}
		s.seconds += seconds
	}
	r.add(row, limit, s.seconds)
	r.add(row+": cpu", limit, s.cpu)
	return nil
}

// puts is the seconds that it takes to store that many bytes in large objects, several at once.
func puts(ctx context.Context, p *place, size int64) (float64, error) {
	body := make([]byte, putSize)
	if _, err := io.ReadFull(noise(7), body); err != nil {
		return 0, err
	}
	return overObjects(ctx, p, size, func(ctx context.Context, store s3store.Store, key string) error {
		return store.Put(ctx, key, body)
	})
}

// gets is the seconds that it takes to get what puts has stored, in ranges.
func gets(ctx context.Context, p *place, size int64) (float64, error) {
	return overObjects(ctx, p, size, func(ctx context.Context, store s3store.Store, key string) error {
		buf := make([]byte, getSize)
		for off := int64(0); off < putSize; off += getSize {
			if _, err := store.GetRange(ctx, key, off, buf); err != nil {
				return err
			}
		}
		return nil
	})
}

func overObjects(ctx context.Context, p *place, size int64, do func(context.Context, s3store.Store, string) error) (float64, error) {
	store, err := s3store.Open(ctx, versity.StoreURL(p.bucket, p.endpoint.String()), s3store.Options{})
	if err != nil {
		return 0, err
	}
	start := time.Now()
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(streams)
	for i := range (size + putSize - 1) / putSize {
		work.Go(func() error { return do(ctx, store, fmt.Sprintf("object-%d", i)) })
	}
	err = work.Wait()
	return time.Since(start).Seconds(), err
}
