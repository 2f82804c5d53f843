package catalog

import "context"

// Lock is a source held by one writer, from LockSource until Release, the end of the process, or the loss of the
// session that it lives on.
type Lock interface {
	// Check tells whether the source is still held. ErrLockLost if it is not, or if that cannot be known any more.
	Check(ctx context.Context) error
	// Release gives the source back. It may be called again.
	Release() error
}
