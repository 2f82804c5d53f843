package s3store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// Dir is a store in a directory: each object is a file, each "/" of a key a directory. It is reached through an os.Root
// only, so that nothing outside can be named, not even by symbolic links.
type Dir struct {
	path string // absolute

	upload, download *limit
	requests         *Requests

	mu    sync.Mutex // guards the rest
	root  *os.Root   // nil until the directory exists
	safe  map[string]bool
	swept bool
}

var _ Store = (*Dir)(nil)

func openDir(u *url.URL, o Options) (*Dir, error) {
	if u.Host != "" && u.Host != "localhost" || u.RawQuery != "" || !filepath.IsAbs(u.Path) {
		return nil, fmt.Errorf("open store %q: a directory is file:///path", u.Redacted())
	}
	d := &Dir{
		path:   filepath.Clean(u.Path),
		upload: newLimit(o.UploadLimit), download: newLimit(o.DownloadLimit),
		requests: o.Requests,
		safe:     map[string]bool{},
	}
	if _, err := d.open(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("open store %s: %w", d, plain(err))
	}
	return d, nil
}

// open is the root of the store. It stays open from the first time on: a disk that is unmounted and comes back
// elsewhere is not mixed up with the empty directory that it leaves behind.
func (d *Dir) open() (*os.Root, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root != nil {
		return d.root, nil
	}
	root, err := os.OpenRoot(d.path)
	if err != nil {
		return nil, err
	}
	d.root = root
	return root, nil
}

// Close closes the directory. The store must not be used any more.
func (d *Dir) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.root == nil {
		return nil
	}
	return d.root.Close()
}

// String is the URL of the store.
func (d *Dir) String() string { return (&url.URL{Scheme: "file", Path: d.path}).String() }

// ProbeConditional tries whether the file system can do what PutNew needs.
func (d *Dir) ProbeConditional(ctx context.Context) error { return probe(ctx, d) }

// Get returns a whole object.
func (d *Dir) Get(ctx context.Context, key string, limit int64) ([]byte, error) {
	f, size, err := d.openObject(ctx, key)
	if err != nil {
		return nil, d.failed("get", key, err)
	}
	defer closeFile(f)
	if size > limit {
		return nil, d.failed("get", key, fmt.Errorf("%w: %d bytes, at most %d are allowed", ErrTooLarge, size, limit))
	}
	body := make([]byte, size)
	if _, err := d.readAt(ctx, f, body, 0); err != nil {
		return nil, d.failed("get", key, err)
	}
	return body, nil
}

// GetRange fills dst with a part of an object.
func (d *Dir) GetRange(ctx context.Context, key string, off int64, dst []byte) (int, error) {
	if err := checkRange(key, off, len(dst)); err != nil {
		return 0, err
	}
	if len(dst) == 0 {
		return 0, nil
	}
	f, _, err := d.openObject(ctx, key)
	if err != nil {
		return 0, d.failed("get", key, err)
	}
	defer closeFile(f)
	n, err := d.readAt(ctx, f, dst, off)
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return n, io.ErrUnexpectedEOF
	}
	if err != nil {
		return 0, d.failed("get", key, err)
	}
	return n, nil
}

func (d *Dir) openObject(ctx context.Context, key string) (*os.File, int64, error) {
	if err := CheckKey(key); err != nil {
		return nil, 0, err
	}
	if err := ctx.Err(); err != nil {
		return nil, 0, err
	}
	d.requests.add(GET)
	root, err := d.open()
	if err != nil {
		return nil, 0, err
	}
	f, err := root.OpenFile(key, os.O_RDONLY|syscall.O_NONBLOCK, 0) // O_NONBLOCK: somebody's FIFO must not hang us
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = ErrNotExist
	}
	if err != nil {
		closeFile(f)
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// readAt fills dst; io.ErrUnexpectedEOF if the file ends before.
func (d *Dir) readAt(ctx context.Context, f *os.File, dst []byte, off int64) (int, error) {
	n := 0
	for n < len(dst) {
		piece := d.download.cut(len(dst) - n)
		if err := d.download.wait(ctx, piece); err != nil {
			return n, err
		}
		m, err := f.ReadAt(dst[n:n+piece], off+int64(n))
		d.requests.move(GET, m)
		n += m
		if errors.Is(err, io.EOF) && n < len(dst) {
			return n, io.ErrUnexpectedEOF
		}
		if err != nil && n < len(dst) {
			return n, err
		}
	}
	return n, nil
}

// Stat tells the size of an object.
func (d *Dir) Stat(ctx context.Context, key string) (Object, error) {
	size, err := d.stat(ctx, key)
	if err != nil {
		return Object{}, d.failed("stat", key, err)
	}
	return Object{Key: key, Size: size}, nil
}

func (d *Dir) stat(ctx context.Context, key string) (int64, error) {
	if err := CheckKey(key); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	d.requests.add(HEAD)
	root, err := d.open()
	if err != nil {
		return 0, err
	}
	info, err := root.Stat(key)
	if err != nil {
		return 0, err
	}
	if !info.Mode().IsRegular() {
		return 0, ErrNotExist
	}
	return info.Size(), nil
}

// failed says what was being done to which object of which store.
func (d *Dir) failed(what, key string, err error) error {
	if errors.Is(err, ErrKey) {
		return err
	}
	return d.named(what, key, plain(err))
}

func (d *Dir) named(what, key string, err error) error {
	return fmt.Errorf("%s %s in %s: %w", what, key, d, err)
}

// plain turns errors of the file system into those of this package.
func plain(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return ErrNotExist
	}
	return plainRefusal(err)
}

// plainRefusal is plain for those errors that say the same of reads and writes.
func plainRefusal(err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, syscall.EROFS):
		return fmt.Errorf("%w: %w", ErrDenied, err)
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return fmt.Errorf("%w: %w", ErrNoSpace, err)
	}
	return err
}

// closeFile closes what was only read: nothing is lost if that fails.
func closeFile(f *os.File) { _ = f.Close() }
