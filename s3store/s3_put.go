package s3store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/bus3/bus3/catalog/failpoint"
)

// Put stores body under key.
func (s *S3) Put(ctx context.Context, key string, body []byte) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	failpoint.Hit("s3.before-put")
	if err := s.put(ctx, key, body, false); err != nil {
		return s.failed("put", key, err)
	}
	failpoint.Hit("s3.after-put")
	return nil
}

// PutNew stores body under key, or returns ErrExists.
func (s *S3) PutNew(ctx context.Context, key string, body []byte) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	failpoint.Hit("s3.before-new")
	if err := s.put(ctx, key, body, true); err != nil {
		return s.failed("put", key, err)
	}
	failpoint.Hit("s3.after-new")
	return nil
}

// content is a body with what is computed once for all attempts to send it.
type content struct {
	body    []byte
	payload string // for the signature
	sum     string // its CRC-32C
}

func (s *S3) put(ctx context.Context, key string, body []byte, isNew bool) error {
	size := int64(len(body))
	c := content{body: body, payload: s.payload(body), sum: crc32c(body)}
	if s.upload != nil {
		size = -1
	}
	doubtful := false // an earlier attempt may have stored the object: its answer did not come
	err := s.write.try(ctx, size, func(ctx context.Context, a attempt) error {
		err := s.putOnce(ctx, key, c, isNew, a)
		if noSuchFeature(err) && s.checksums.CompareAndSwap(true, false) {
			err = s.putOnce(ctx, key, c, isNew, a)
		}
		if errors.As(err, new(temporary)) {
			doubtful = true
		}
		return err
	})
	if errors.Is(err, ErrExists) && doubtful {
		return s.isOurs(ctx, key, body)
	}
	if isNew && noSuchFeature(err) {
		return ErrUnconditional
	}
	return err
}

func (s *S3) putOnce(ctx context.Context, key string, c content, isNew bool, a attempt) error {
	s.requests.add(PUT)
	source := &upload{ctx: ctx, limit: s.upload, requests: s.requests, moved: a.moved, data: c.body, size: int64(len(c.body))}
	defer source.detach()
	in := &s3.PutObjectInput{Bucket: &s.bucket, Key: s.key(key), Body: source, ContentLength: aws.Int64(source.size)}
	if isNew {
		in.IfNoneMatch = aws.String("*")
	}
	if s.checksums.Load() {
		in.ChecksumCRC32C = &c.sum
	}
	_, err := s.client.PutObject(ctx, in, withPayload(c.payload))
	return s.explain(err)
}

// payload is what the signature says of a body: over ways that are not safe its SHA-256. Else nothing, for that would
// cost more than all else of a PUT: the checksum, which is signed, guards against accidents, TLS or the loopback device
// against others, and all that bus3 stores is authenticated.
func (s *S3) payload(body []byte) string {
	if s.trusted {
		return "UNSIGNED-PAYLOAD"
	}
	sum := sha256.Sum256(body)
	return hex.EncodeToString(sum[:])
}

// withPayload tells the SDK what to sign of the body, so that it does not read it twice.
func withPayload(payload string) func(*s3.Options) {
	set := middleware.FinalizeMiddlewareFunc("bus3Payload", func(ctx context.Context, in middleware.FinalizeInput, next middleware.FinalizeHandler) (
		middleware.FinalizeOutput, middleware.Metadata, error,
	) {
		return next.HandleFinalize(v4.SetPayloadHash(ctx, payload), in)
	})
	return func(o *s3.Options) {
		o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
			return stack.Finalize.Insert(set, (&v4.ComputePayloadSHA256{}).ID(), middleware.Before)
		})
	}
}

// crc32c is the checksum of body the way S3 writes it.
func crc32c(body []byte) string {
	var sum [4]byte
	binary.BigEndian.PutUint32(sum[:], crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli)))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// isOurs compares what is stored under key with body, which an attempt without an answer may have stored: ErrExists if
// it differs.
func (s *S3) isOurs(ctx context.Context, key string, body []byte) error {
	o, err := s.Stat(ctx, key)
	if err != nil {
		return err
	}
	if o.Size != int64(len(body)) {
		return ErrExists
	}
	stored := make([]byte, min(len(body), 1<<20))
	for off := 0; off < len(body); off += len(stored) {
		stored = stored[:min(len(stored), len(body)-off)]
		_, err := s.GetRange(ctx, key, int64(off), stored)
		if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) {
			return err
		}
		if err != nil || !bytes.Equal(stored, body[off:off+len(stored)]) {
			return ErrExists
		}
	}
	return nil
}

// Delete removes an object.
func (s *S3) Delete(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	err := s.write.try(ctx, 0, func(ctx context.Context, _ attempt) error {
		s.requests.add(DELETE)
		_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: s.key(key)})
		return s.explain(err)
	})
	if err != nil && !errors.Is(err, ErrNotExist) {
		return s.failed("delete", key, err)
	}
	return nil
}

// failed says what was being done to which object of which store.
func (s *S3) failed(what, key string, err error) error {
	return fmt.Errorf("%s %s in %s: %w", what, key, s, err)
}
