package s3store

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// List calls fn for each object. One page of at most 1000 keys is in memory.
func (s *S3) List(ctx context.Context, prefix, after string, fn func(Object) error) error {
	if err := checkPrefix(prefix); err != nil {
		return err
	}
	last := after
	for more := true; more; {
		page, err := s.page(ctx, prefix, last)
		if err != nil {
			return fmt.Errorf("list %q in %s: %w", prefix, s, err)
		}
		more = aws.ToBool(page.IsTruncated)
		before := last
		for i := range page.Contents {
			full := aws.ToString(page.Contents[i].Key)
			key, ok := strings.CutPrefix(full, s.prefix)
			if !ok || !strings.HasPrefix(key, prefix) {
				return fmt.Errorf("list %q in %s: the server lists %q", prefix, s, full)
			}
			if CheckKey(key) != nil {
				continue // not of bus3, and nothing that Get could name
			}
			if key <= last {
				return fmt.Errorf("list %q in %s: the server lists %q after %q; it must sort by bytes", prefix, s, key, last)
			}
			last = key
			if err := fn(Object{Key: key, Size: aws.ToInt64(page.Contents[i].Size)}); err != nil {
				return err
			}
		}
		if more && last == before {
			return fmt.Errorf("list %q in %s: the server says that there is more after %q and does not list it", prefix, s, last)
		}
	}
	return nil
}

// page gets the page of the listing that begins after a key. Pages are asked for by key, not by the server's token: so
// each can be tried again, whenever.
func (s *S3) page(ctx context.Context, prefix, after string) (page *s3.ListObjectsV2Output, err error) {
	in := &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: s.key(prefix)}
	if after != "" {
		in.StartAfter = s.key(after)
	}
	err = s.write.try(ctx, 0, func(ctx context.Context, _ attempt) error {
		s.requests.add(LIST)
		page, err = s.client.ListObjectsV2(ctx, in)
		return s.explain(err)
	})
	return page, err
}
