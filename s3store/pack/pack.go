// Package pack is the format of packs: many sealed segments in one object, and a directory of what they hold. It does
// no I/O.
//
// A pack is a header of 8 bytes, the segments one after the other without gaps, the directory, and a trailer of 8
// bytes. Segments and directory are sealed in boxes of the pack's ID; the nonce of a segment is its number, which is
// the order in which segments were filled, not that in which they lie. With the directory a pack tells its own rows of
// the catalog: no index of chunks is lost while the packs are there.
package pack

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/seal"
)

const (
	// DefaultSize is the size at which a pack is finished, bytes: large enough that requests cost little, small enough
	// that several are in memory at once.
	DefaultSize = 32 << 20
	// MaxSize is the largest size that a pack can be told to grow to before it is finished, bytes.
	MaxSize = 64 << 20
	// SegmentSize is the plaintext of a usual segment, bytes. A larger chunk is a segment of its own.
	SegmentSize = 1 << 20

	// Prefix is what the keys of all packs begin with.
	Prefix = "packs/"

	header     = "bus3pak\x01" // the last byte is the version
	trailerTag = "b3p\x01"     // after the length of the sealed directory, 4 bytes, little endian

	trailerSize = 4 + len(trailerTag)
)

// Key is the key of a pack's object.
func Key(id catalog.PackID) string {
	s := id.String()
	return Prefix + s[:2] + "/" + s
}

// ParseKey is the reverse of Key. It refuses every other spelling.
func ParseKey(key string) (catalog.PackID, bool) {
	var id catalog.PackID
	name, ok := strings.CutPrefix(key, Prefix)
	if !ok || len(name) != 3+2*len(id) {
		return id, false
	}
	if _, err := hex.Decode(id[:], []byte(name[3:])); err != nil {
		return id, false
	}
	return id, Key(id) == key
}

// SegmentBox is the box of a pack's segments.
func SegmentBox(k *seal.Keys, id catalog.PackID) *seal.Box { return k.Box(seal.PackSegment, id) }

// SealSegment appends the segment with that number to dst: compressed, if that pays, and encrypted. It is encrypted
// where it lies in dst; plain is not touched. Any number of goroutines may seal segments with one box, each number once.
func SealSegment(dst []byte, box *seal.Box, number uint32, plain []byte, c seal.Compression) []byte {
	start := len(dst)
	dst = slices.Grow(dst, len(plain)+seal.Overhead)
	extra := lengthBytes(len(plain))
	out, ok := seal.Shrink(dst, plain, c)
	if ok {
		plain = out[start:]
		dst = out[:start]
	}
	return box.Seal(dst, uint64(number), plain, extra[:])
}

// OpenSegment appends the length bytes of plaintext of a segment to dst. A segment that was altered or exchanged, or
// that has another length, is seal.ErrDamaged, and leaves dst as it was. sealed is not touched.
func OpenSegment(dst []byte, box *seal.Box, number uint32, sealed []byte, length uint32) ([]byte, error) {
	if length == 0 || length > catalog.MaxSegment || len(sealed) <= seal.Overhead || uint64(len(sealed)) > uint64(length)+seal.Overhead {
		return dst, fmt.Errorf("%w: a segment of %d bytes, for %d of plaintext", seal.ErrDamaged, len(sealed), length)
	}
	extra := lengthBytes(int(length))
	if len(sealed) == int(length)+seal.Overhead { // stored as it is: a frame is always shorter
		return box.Open(slices.Grow(dst, int(length)), uint64(number), sealed, extra[:])
	}
	buf := borrow(len(sealed))
	defer giveBack(buf)
	frame, err := box.Open((*buf)[:0], uint64(number), sealed, extra[:])
	if err != nil {
		return dst, err
	}
	return seal.Expand(dst, frame, int(length))
}

// lengthBytes is what is authenticated with a segment: the length of its plaintext.
func lengthBytes(n int) (b [4]byte) {
	binary.LittleEndian.PutUint32(b[:], uint32(n))
	return b
}
