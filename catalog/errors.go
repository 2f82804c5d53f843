package catalog

import (
	"errors"
	"fmt"
)

var (
	// ErrNotFound: no such scan, directory, name, entry or value.
	ErrNotFound = errors.New("not found")
	// ErrInvalid: data that cannot be so, from a store, a journal or a catalog. Nothing was done with it.
	ErrInvalid = errors.New("invalid data")
	// ErrCorrupt: what holds the catalog is damaged itself. It is an ErrInvalid, about which no batch can do anything.
	ErrCorrupt = errors.New("the file is damaged")
	// ErrLocked: another process writes to the same source (exit code 11).
	ErrLocked = errors.New("another backup of this directory is running")
	// ErrBehind: the catalog lacks what the batch builds upon; sync it from the journal first.
	ErrBehind = errors.New("the catalog is behind the journal")
	// ErrSuperseded: a later scan of the same source has begun without this part; it must be ignored.
	ErrSuperseded = errors.New("a later backup of this directory has begun")
	// ErrOtherRepository: the catalog belongs to another repository than the store.
	ErrOtherRepository = errors.New("the catalog belongs to another repository")
	// ErrReadOnly: the catalog was opened for reading only.
	ErrReadOnly = errors.New("the catalog is open for reading only")
	// ErrEmpty: the catalog belongs to no repository yet.
	ErrEmpty = errors.New("the catalog is empty")
)

// Invalidf makes an ErrInvalid with a message.
func Invalidf(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
