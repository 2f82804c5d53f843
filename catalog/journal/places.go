package journal

import (
	"encoding/binary"

	"github.com/bus3/bus3/catalog"
)

type packColumns struct {
	N    uint64 `cbor:"1,keyasint"`
	ID   []byte `cbor:"2,keyasint"`
	Key  []byte `cbor:"3,keyasint"` // 16 bytes each
	Size []byte `cbor:"4,keyasint"`
}

func fromPacks(b *catalog.Batch) (c packColumns) {
	c.N = uint64(len(b.Packs))
	id := deltas{last: base(b.Scan)}
	for i := range b.Packs {
		p := &b.Packs[i]
		id.add(int64(p.ID))
		c.Key = append(c.Key, p.Key[:]...)
		c.Size = binary.AppendVarint(c.Size, p.Size)
	}
	c.ID = id.column
	return c
}

func (c *packColumns) rows(d *decoder) []catalog.Pack {
	id, key, size := d.column("packs", c.ID, base(d.scan)), d.column("keys of packs", c.Key, 0), d.column("sizes of packs", c.Size, 0)
	return rows(d, d.count("packs", c.N, c.ID, c.Key, c.Size), func(p *catalog.Pack) {
		p.ID = id.id()
		copy(p.Key[:], key.bytes(uint64(len(p.Key))))
		p.Size = size.signed()
	}, id, key, size)
}

type segmentColumns struct {
	N      uint64 `cbor:"1,keyasint"`
	ID     []byte `cbor:"2,keyasint"`
	Pack   []byte `cbor:"3,keyasint"`
	Number []byte `cbor:"4,keyasint"` // less that of the segment before
	Offset []byte `cbor:"5,keyasint"` // less the end of the segment before in the same pack
	Stored []byte `cbor:"6,keyasint"`
	Length []byte `cbor:"7,keyasint"`
}

func fromSegments(b *catalog.Batch) (c segmentColumns) {
	c.N = uint64(len(b.Segments))
	id, pack, number := deltas{last: base(b.Scan)}, deltas{last: base(b.Scan)}, deltas{}
	var before catalog.Segment
	for i := range b.Segments {
		s := &b.Segments[i]
		id.add(int64(s.ID))
		pack.add(int64(s.Pack))
		number.add(int64(s.Number))
		c.Offset = binary.AppendVarint(c.Offset, s.Offset-nextOffset(&before, s.Pack))
		c.Stored = binary.AppendUvarint(c.Stored, uint64(s.Stored))
		c.Length = binary.AppendUvarint(c.Length, uint64(s.Length))
		before = *s
	}
	c.ID, c.Pack, c.Number = id.column, pack.column, number.column
	return c
}

// nextOffset is where a segment begins that follows another without a gap.
func nextOffset(before *catalog.Segment, pack catalog.ID) int64 {
	if before.Pack != pack {
		return 0
	}
	return before.Offset + int64(before.Stored)
}

func (c *segmentColumns) rows(d *decoder) []catalog.Segment {
	id, pack := d.column("segments", c.ID, base(d.scan)), d.column("packs of segments", c.Pack, base(d.scan))
	number, offset := d.column("numbers of segments", c.Number, 0), d.column("offsets of segments", c.Offset, 0)
	stored, length := d.column("stored sizes of segments", c.Stored, 0), d.column("sizes of segments", c.Length, 0)
	var before catalog.Segment
	n := d.count("segments", c.N, c.ID, c.Pack, c.Number, c.Offset, c.Stored, c.Length)
	return rows(d, n, func(s *catalog.Segment) {
		s.ID, s.Pack = id.id(), pack.id()
		s.Number = uint32(number.delta())
		if number.last != int64(s.Number) {
			d.fail(number.name)
		}
		s.Offset = nextOffset(&before, s.Pack) + offset.signed()
		s.Stored, s.Length = stored.unsigned32(), length.unsigned32()
		before = *s
	}, id, pack, number, offset, stored, length)
}

type chunkColumns struct {
	N       uint64 `cbor:"1,keyasint"`
	ID      []byte `cbor:"2,keyasint"`
	Hash    []byte `cbor:"3,keyasint"` // 32 bytes each
	Segment []byte `cbor:"4,keyasint"`
	Offset  []byte `cbor:"5,keyasint"` // less the end of the chunk before in the same segment
	Length  []byte `cbor:"6,keyasint"`
}

func fromChunks(b *catalog.Batch) (c chunkColumns) {
	c.N = uint64(len(b.Chunks))
	c.Hash = make([]byte, 0, len(b.Chunks)*len(catalog.Hash{}))
	id, segment := deltas{last: base(b.Scan)}, deltas{last: base(b.Scan)}
	var before catalog.Chunk
	for i := range b.Chunks {
		k := &b.Chunks[i]
		id.add(int64(k.ID))
		segment.add(int64(k.Segment))
		c.Hash = append(c.Hash, k.Hash[:]...)
		c.Offset = binary.AppendVarint(c.Offset, int64(k.Offset)-chunkAfter(&before, k.Segment))
		c.Length = binary.AppendUvarint(c.Length, uint64(k.Length))
		before = *k
	}
	c.ID, c.Segment = id.column, segment.column
	return c
}

// chunkAfter is where a chunk begins that follows another without a gap.
func chunkAfter(before *catalog.Chunk, segment catalog.ID) int64 {
	if before.Segment != segment {
		return 0
	}
	return int64(before.Offset) + int64(before.Length)
}

func (c *chunkColumns) rows(d *decoder) []catalog.Chunk {
	id, hash := d.column("chunks", c.ID, base(d.scan)), d.column("hashes of chunks", c.Hash, 0)
	segment := d.column("segments of chunks", c.Segment, base(d.scan))
	offset, length := d.column("offsets of chunks", c.Offset, 0), d.column("sizes of chunks", c.Length, 0)
	var before catalog.Chunk
	return rows(d, d.count("chunks", c.N, c.ID, c.Hash, c.Segment, c.Offset, c.Length), func(k *catalog.Chunk) {
		k.ID, k.Segment = id.id(), segment.id()
		copy(k.Hash[:], hash.bytes(uint64(len(k.Hash))))
		at := chunkAfter(&before, k.Segment) + offset.signed()
		k.Offset, k.Length = uint32(at), length.unsigned32()
		if int64(k.Offset) != at {
			d.fail(offset.name)
		}
		before = *k
	}, id, hash, segment, offset, length)
}

type pieceColumns struct {
	N       uint64 `cbor:"1,keyasint"`
	Content []byte `cbor:"2,keyasint"`
	Offset  []byte `cbor:"3,keyasint"` // less the end of the piece before in the same content, as far as it is known
	Chunk   []byte `cbor:"4,keyasint"`
}

func fromPieces(b *catalog.Batch, lengths map[catalog.ID]uint32) (c pieceColumns) {
	c.N = uint64(len(b.Pieces))
	content, chunk := deltas{last: base(b.Scan)}, deltas{last: base(b.Scan)}
	var before catalog.Piece
	for i := range b.Pieces {
		p := &b.Pieces[i]
		content.add(int64(p.Content))
		chunk.add(int64(p.Chunk))
		c.Offset = binary.AppendVarint(c.Offset, p.Offset-pieceAfter(&before, p.Content, lengths))
		before = *p
	}
	c.Content, c.Chunk = content.column, chunk.column
	return c
}

// pieceAfter is where a piece begins that follows another without a hole. The length of a chunk that came with another
// batch counts as 0.
func pieceAfter(before *catalog.Piece, content catalog.ID, lengths map[catalog.ID]uint32) int64 {
	if before.Content != content {
		return 0
	}
	return before.Offset + int64(lengths[before.Chunk])
}

func (c *pieceColumns) rows(d *decoder, lengths map[catalog.ID]uint32) []catalog.Piece {
	content, chunk := d.column("contents", c.Content, base(d.scan)), d.column("chunks of contents", c.Chunk, base(d.scan))
	offset := d.column("offsets in contents", c.Offset, 0)
	var before catalog.Piece
	return rows(d, d.count("contents", c.N, c.Content, c.Chunk, c.Offset), func(p *catalog.Piece) {
		p.Content, p.Chunk = content.id(), chunk.id()
		p.Offset = pieceAfter(&before, p.Content, lengths) + offset.signed()
		before = *p
	}, content, chunk, offset)
}
