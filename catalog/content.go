package catalog

// The limits of what data is made of. Readers refuse what goes beyond them before they allocate.
const (
	MaxChunk   = 64 << 20 // plaintext bytes of a chunk
	MaxSegment = 64 << 20 // plaintext bytes of a segment
	MaxPack    = 1 << 30  // bytes of a pack
	MaxValue   = 16 << 20 // bytes of a value
)

// Pack is one object in the store that holds segments.
type Pack struct {
	ID   ID
	Key  PackID
	Size int64 // bytes, of the object
}

// Segment is consecutive chunks of a pack, compressed and encrypted as one.
type Segment struct {
	ID     ID
	Pack   ID
	Number uint32 // position in the pack, from 0: the nonce it is sealed with
	Offset int64  // of its first byte in the pack
	Stored uint32 // bytes in the pack
	Length uint32 // bytes of plaintext, at most MaxSegment
}

// Chunk is a piece of file content, named by its hash. A hash may have several chunks: two hosts may store the same
// new content at the same moment, and both rows are right.
type Chunk struct {
	ID      ID
	Hash    Hash // keyed BLAKE3-256 of its plaintext
	Segment ID
	Offset  uint32 // in the plaintext of the segment
	Length  uint32 // bytes, at least 1, at most MaxChunk
}

// Piece says that a content has a chunk's bytes at an offset. The pieces of a content do not overlap; what no piece
// covers is a hole and reads as zeros. Pieces of a content may come in several batches of one scan: the content is
// complete when the entry that has it is opened.
type Piece struct {
	Content ID
	Offset  int64 // in the file, bytes
	Chunk   ID
}

// Value is a small blob that many entries share: a set of extended attributes (EncodeXattrs) or the names of an owner
// (EncodeOwner).
type Value struct {
	ID    ID
	Hash  Hash // HashValue(Bytes)
	Bytes []byte
}

// Place is where the bytes of a chunk are: everything that a reader needs to fetch, open and verify them.
type Place struct {
	Chunk   ID
	Hash    Hash
	Offset  uint32 // of the chunk in the plaintext of the segment
	Length  uint32 // of the chunk
	Segment Segment
	Pack    Pack
}

// Check tells what makes the place impossible, if anything, as ErrInvalid: the segment lies within the pack, the chunk
// within the segment, nothing goes beyond the limits.
func (p *Place) Check() error {
	switch s := &p.Segment; {
	case p.Pack.Size < 0 || p.Pack.Size > MaxPack:
		return Invalidf("pack %s has %d bytes", p.Pack.Key, p.Pack.Size)
	case s.Offset < 0 || s.Stored == 0 || s.Offset+int64(s.Stored) > p.Pack.Size:
		return Invalidf("segment %s is at %d+%d in pack %s of %d bytes", s.ID, s.Offset, s.Stored, p.Pack.Key, p.Pack.Size)
	case s.Length > MaxSegment:
		return Invalidf("segment %s has %d bytes of plaintext", s.ID, s.Length)
	case p.Length == 0 || p.Length > MaxChunk || uint64(p.Offset)+uint64(p.Length) > uint64(s.Length):
		return Invalidf("chunk %s is at %d+%d in segment %s of %d bytes", p.Chunk, p.Offset, p.Length, s.ID, s.Length)
	}
	return nil
}

// PlacedPiece is a piece of a content with the place of its chunk.
type PlacedPiece struct {
	Offset int64 // in the file, bytes
	Place  Place
}
