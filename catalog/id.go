package catalog

import (
	"encoding/hex"
	"fmt"
	"math"
)

// ID names one thing that a scan brought into the repository: an entry, an identity (inode), a chunk, a segment, a
// pack, a content, a value or a source. It is the number of that scan in the upper 27 bits and a counter within the
// scan, from 1, in the lower 36. A number is claimed by one run only, so IDs are unique in every catalog that ever
// holds them, without asking anybody. IDs are never negative; 0 is "none", in every scan.
type ID int64

const counterBits = 36

const (
	// MaxScan is the highest number that a scan can have.
	MaxScan = 1<<(63-counterBits) - 1
	// MaxCounter is the highest counter within a scan.
	MaxCounter = 1<<counterBits - 1
)

// NewID joins the number of a scan and a counter. It panics if either is out of range: a run counts to MaxCounter by
// handing out more IDs than a scan can have rows.
func NewID(scan, counter int64) ID {
	if scan < 0 || scan > MaxScan || counter < 1 || counter > MaxCounter {
		panic(fmt.Sprintf("catalog: no ID for scan %d, counter %d", scan, counter))
	}
	return ID(scan<<counterBits | counter)
}

// Scan is the number of the scan that made id.
func (id ID) Scan() int64 { return int64(id) >> counterBits }

// Counter is id's position among the IDs of its scan, from 1.
func (id ID) Counter() int64 { return int64(id) & MaxCounter }

// Valid tells whether id names anything: it is positive and its counter is not 0.
func (id ID) Valid() bool { return id > 0 && id.Counter() != 0 }

// String is "scan.counter", for messages and logs.
func (id ID) String() string {
	if id == 0 {
		return "none"
	}
	return fmt.Sprintf("%d.%d", id.Scan(), id.Counter())
}

// After is the smallest int64 above all IDs of the scans up to and including scan: `id < After(scan)` is "made by
// then". It saturates.
func After(scan int64) ID {
	if scan >= MaxScan {
		return math.MaxInt64
	}
	return ID((scan + 1) << counterBits)
}

// Hash is a digest of 32 bytes: a chunk's keyed BLAKE3-256, a value's, or a journal object's.
type Hash [32]byte

// String is h in hexadecimal.
func (h Hash) String() string { return hex.EncodeToString(h[:]) }

// IsZero tells whether h is no digest at all.
func (h Hash) IsZero() bool { return h == Hash{} }

// RepositoryID names a repository for ever: 16 random bytes made by `init`.
type RepositoryID [16]byte

// String is r in hexadecimal.
func (r RepositoryID) String() string { return hex.EncodeToString(r[:]) }

// PackID names a pack in the store: 16 random bytes. Its object's key is derived from it (see package pack).
type PackID [16]byte

// String is p in hexadecimal.
func (p PackID) String() string { return hex.EncodeToString(p[:]) }
