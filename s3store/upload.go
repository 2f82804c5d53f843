package s3store

import (
	"context"
	"errors"
	"io"
	"sync"

	"github.com/bus3/bus3/catalog/failpoint"
)

// upload is the body of a PUT: it keeps to the limit, counts, and tells that bytes move. The HTTP transport may go on
// reading after the request has ended; detach stops it from touching data that belongs to the caller again.
type upload struct {
	ctx      context.Context // of the attempt that the upload is for; an io.Reader has no other way to it
	limit    *limit
	requests *Requests
	moved    func()

	mu   sync.Mutex // guards data and at
	data []byte
	at   int64
	size int64 // bytes, of the whole; constant
}

var errDetached = errors.New("the request has ended")

func (u *upload) Read(p []byte) (int, error) {
	p = p[:u.limit.cut(len(p))]
	if err := u.limit.wait(u.ctx, int(min(int64(len(p)), u.left()))); err != nil {
		return 0, err
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.at >= u.size {
		return 0, io.EOF
	}
	if u.data == nil {
		return 0, errDetached
	}
	if u.at > 0 {
		failpoint.Hit("s3.sending")
	}
	n := copy(p, u.data[u.at:])
	u.at += int64(n)
	u.requests.move(PUT, n)
	u.moved()
	return n, nil
}

func (u *upload) left() int64 {
	u.mu.Lock()
	defer u.mu.Unlock()
	return max(u.size-u.at, 0)
}

// Seek lets the SDK find the length.
func (u *upload) Seek(offset int64, whence int) (int64, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	switch whence {
	case io.SeekCurrent:
		offset += u.at
	case io.SeekEnd:
		offset += u.size
	}
	if offset < 0 || offset > u.size {
		return 0, errors.New("seek beyond the body")
	}
	u.at = offset
	return offset, nil
}

func (u *upload) detach() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.data = nil
}
