package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Get returns a whole object.
func (s *S3) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	if err := CheckKey(key); err != nil {
		return nil, err
	}
	var body []byte
	err := s.read.try(ctx, s.readSize(limit), func(ctx context.Context, a attempt) (err error) {
		body, err = s.getOnce(ctx, key, limit, a)
		return err
	})
	if err != nil {
		return nil, s.failed("get", key, err)
	}
	return body, nil
}

// readSize is what patience shall reckon with for a transfer of n bytes.
func (s *S3) readSize(n int64) int64 {
	if s.download != nil || n > math.MaxInt32 {
		return -1
	}
	return n
}

func (s *S3) getOnce(ctx context.Context, key string, limit int64, a attempt) ([]byte, error) {
	s.requests.add(GET)
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: s.key(key)})
	if err != nil {
		return nil, s.explain(err)
	}
	defer closeBody(out.Body)
	if out.ContentLength == nil {
		return nil, errors.New("the server does not tell the size of the object")
	}
	size := *out.ContentLength
	if size < 0 || size > limit {
		return nil, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, size, limit)
	}
	body := make([]byte, size)
	if _, err := s.receive(ctx, out.Body, body, a); err != nil {
		return nil, err
	}
	return body, nil
}

// GetRange fills dst with a part of an object.
func (s *S3) GetRange(ctx context.Context, key string, off int64, dst []byte) (int, error) {
	if err := checkRange(key, off, len(dst)); err != nil {
		return 0, err
	}
	if len(dst) == 0 {
		return 0, nil
	}
	n := 0
	err := s.read.try(ctx, s.readSize(int64(len(dst))), func(ctx context.Context, a attempt) (err error) {
		n, err = s.getRangeOnce(ctx, key, off, dst, a)
		return err
	})
	if err != nil {
		return 0, s.failed("get", key, err)
	}
	if n < len(dst) {
		return n, io.ErrUnexpectedEOF
	}
	return n, nil
}

// checkRange refuses ranges that do not fit into 63 bits.
func checkRange(key string, off int64, length int) error {
	if off < 0 || off > math.MaxInt64-int64(length) {
		return fmt.Errorf("get %s: no object has %d bytes at %d", key, length, off)
	}
	return CheckKey(key)
}

func (s *S3) getRangeOnce(ctx context.Context, key string, off int64, dst []byte, a attempt) (int, error) {
	s.requests.add(GET)
	wanted := fmt.Sprintf("bytes=%d-%d", off, off+int64(len(dst))-1)
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: s.key(key), Range: &wanted})
	if code(err) == "InvalidRange" {
		return 0, nil // it ends before off
	}
	if err != nil {
		return 0, s.explain(err)
	}
	defer closeBody(out.Body)
	length, err := rangeLength(aws.ToString(out.ContentRange), off, len(dst))
	if err != nil {
		return 0, err
	}
	return s.receive(ctx, out.Body, dst[:length], a)
}

// rangeLength is how many bytes an answer with the header Content-Range ("bytes 0-9/100") has: they begin at off and
// are at most limit.
func rangeLength(header string, off int64, limit int) (int, error) {
	span, _, _ := strings.Cut(strings.TrimPrefix(header, "bytes "), "/")
	from, to, _ := strings.Cut(span, "-")
	first, err1 := strconv.ParseInt(from, 10, 64)
	last, err2 := strconv.ParseInt(to, 10, 64)
	if err1 != nil || err2 != nil || first != off || last < first || last-first >= int64(limit) {
		return 0, fmt.Errorf("asked for %d bytes at %d, the server answers with range %q", limit, off, header)
	}
	return int(last-first) + 1, nil
}

// receive fills dst from body. Nothing lies between: the transport reads large pieces straight into dst.
func (s *S3) receive(ctx context.Context, body io.Reader, dst []byte, a attempt) (int, error) {
	n := 0
	for n < len(dst) {
		m, err := body.Read(dst[n : n+s.download.cut(len(dst)-n)])
		s.requests.move(GET, m)
		n += m
		if m > 0 {
			a.moved()
		}
		if n == len(dst) {
			break
		}
		if err != nil {
			return n, temporary{fmt.Errorf("the connection broke after %d of %d bytes: %w", n, len(dst), err)}
		}
		if err := s.download.wait(ctx, m); err != nil {
			return n, err
		}
		a.moved()
	}
	return n, nil
}

// closeBody reads what little may be left, the end of the body at least, so that the connection can be used again.
func closeBody(body io.ReadCloser) {
	_, _ = io.CopyN(io.Discard, body, 4<<10) // the answer is complete: all that could fail is the reuse
	_ = body.Close()
}

// Stat tells the size of an object.
func (s *S3) Stat(ctx context.Context, key string) (Object, error) {
	if err := CheckKey(key); err != nil {
		return Object{}, err
	}
	o := Object{Key: key}
	err := s.read.try(ctx, 0, func(ctx context.Context, _ attempt) error {
		s.requests.add(HEAD)
		out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: s.key(key)})
		if err != nil {
			return s.explainHead(ctx, err)
		}
		o.Size = aws.ToInt64(out.ContentLength)
		return nil
	})
	if err != nil {
		return Object{}, s.failed("stat", key, err)
	}
	return o, nil
}

// explainHead is explain for answers to HEAD. They have no body, so that a missing bucket looks like a missing object:
// ask for the bucket.
func (s *S3) explainHead(ctx context.Context, err error) error {
	err = s.explain(err)
	if !errors.Is(err, ErrNotExist) {
		return err
	}
	s.requests.add(HEAD)
	_, bucketErr := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucket})
	if bucketErr != nil && status(bucketErr) == 404 {
		return ErrNoBucket
	}
	return err
}
