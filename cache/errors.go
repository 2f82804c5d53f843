package cache

import (
	"errors"
	"fmt"

	"github.com/bus3/bus3/catalog"
)

// ErrNotKept: the backup has no data of the file, because they could not be read, or because their record is lost.
var ErrNotKept = errors.New("the backup has no data of this file")

// DamageError names what in the store is not what it was when it was written, or is not what the catalog says of it.
type DamageError struct {
	Pack    string         // the key of the object
	PackID  catalog.PackID // the same as an ID
	Segment uint32         // its number in the pack
	Chunk   catalog.ID     // none if the whole segment is affected
	Reason  string
}

// Error says it in a user's words.
func (e *DamageError) Error() string {
	if e.Chunk == 0 {
		return fmt.Sprintf("segment %d of %s is damaged: %s", e.Segment, e.Pack, e.Reason)
	}
	return fmt.Sprintf("chunk %s in segment %d of %s is damaged: %s", e.Chunk, e.Segment, e.Pack, e.Reason)
}
