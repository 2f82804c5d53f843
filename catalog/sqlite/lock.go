package sqlite

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/bus3/bus3/catalog"
)

// lock is flock(2) on a file beside the database, one for each source. The file stays: removing it would let two
// processes lock two files of one name.
type lock struct {
	file *os.File
}

var _ catalog.Lock = (*lock)(nil)

// LockSource makes the caller the only writer of a source, until the lock is released or the process ends. ErrLocked if
// somebody else is.
func (c *Catalog) LockSource(ctx context.Context, host, root string) (catalog.Lock, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	name := sha256.Sum256([]byte(host + "\x00" + root))
	file, err := os.OpenFile(fmt.Sprintf("%s-lock-%x", c.path, name[:8]), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock %q of host %q: %w", root, host, err)
	}
	err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = catalog.ErrLocked
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %q of host %q: %w", root, host, err), file.Close())
	}
	return &lock{file: file}, nil
}

// Check implements catalog.Lock: the lock is lost if somebody removed or replaced its file.
func (l *lock) Check(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	held, err := l.file.Stat()
	if err == nil {
		var named os.FileInfo
		if named, err = os.Stat(l.file.Name()); err == nil && os.SameFile(held, named) {
			return nil
		}
	}
	return errors.Join(catalog.ErrLockLost, err)
}

// Release implements catalog.Lock.
func (l *lock) Release() error {
	if err := l.file.Close(); err != nil && !errors.Is(err, os.ErrClosed) {
		return fmt.Errorf("release the lock %q: %w", l.file.Name(), err)
	}
	return nil
}
