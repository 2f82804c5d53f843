package catalog

import "errors"

var (
	// ErrUnavailable: the catalog cannot be reached at the moment, or went away in the middle. The same call may be made
	// again later; a batch whose Apply ended so may or may not have been applied, and Apply is idempotent.
	ErrUnavailable = errors.New("the catalog cannot be reached")
	// ErrLockLost: a Lock is not, or not surely, held any more; its holder must not write.
	ErrLockLost = errors.New("the lock on the source was lost")
	// ErrDiverged: the catalog has applied parts of a scan that a later scan did not build upon. Only a rebuild helps.
	ErrDiverged = errors.New("the catalog has what a later backup did not build upon; run `bus3 rebuild --replace`")
	// ErrNewer: a newer version of bus3 made the catalog.
	ErrNewer = errors.New("the catalog was made by a newer version of bus3; use that version")
	// ErrNoCatalog: there is no catalog where one was to be read.
	ErrNoCatalog = errors.New("there is no catalog")
)
