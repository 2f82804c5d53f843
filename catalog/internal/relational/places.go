package relational

import (
	"context"

	"github.com/bus3/bus3/catalog"
)

// placeColumns is the list of a SELECT over placeTables whose rows readPlace reads. The tables are joined so that a
// missing segment or pack is seen, as 0.
const (
	placeColumns = `c.id, c.start, c.length, s.id AS segment_id, s.pack, s.number, s.start AS segment_start, s.stored, s.length AS segment_length, ` +
		`p.id AS pack_id, p.size, c.hash, p.key`
	placeShape  = "iiiiiiiiiiibb"
	placeTables = `chunk c LEFT JOIN segment s ON s.id = c.segment LEFT JOIN pack p ON p.id = s.pack`
)

var (
	placesByID  = Query{SQL: `SELECT ` + placeColumns + ` FROM ` + placeTables + ` WHERE c.id = {a}`, Shape: placeShape}
	placesFrom  = Query{SQL: `SELECT ` + placeColumns + ` FROM ` + placeTables + ` WHERE c.id >= $1 AND c.id < $2 ORDER BY c.id LIMIT $3`, Shape: placeShape}
	placesIn    = Query{SQL: `SELECT ` + placeColumns + ` FROM segment s JOIN chunk c ON c.segment = s.id JOIN pack p ON p.id = s.pack WHERE s.pack = $1 ORDER BY s.start, c.start`, Shape: placeShape}
	placesPiece = Query{
		SQL: `SELECT f.start AS piece_start, f.chunk AS piece_chunk, COALESCE(c.id, 0) AS id, c.start, c.length, s.id AS segment_id, s.pack, s.number, s.start AS segment_start, ` +
			`s.stored, s.length AS segment_length, p.id AS pack_id, p.size, c.hash, p.key ` +
			`FROM piece f LEFT JOIN chunk c ON c.id = f.chunk LEFT JOIN segment s ON s.id = c.segment LEFT JOIN pack p ON p.id = s.pack ` +
			`WHERE f.content = $1 AND f.start >= COALESCE((SELECT max(b.start) FROM piece b WHERE b.content = $1 AND b.start <= $2), 0) ORDER BY f.start LIMIT $3`,
		Shape: "ii" + placeShape,
	}
)

// readPlace fills p from the columns of r that begin with column at. False: the chunk's segment or pack has no row.
func readPlace(p *catalog.Place, r *Row, at int) (bool, error) {
	c := r.cells[at:]
	if c[3] == 0 || c[9] == 0 {
		return false, nil
	}
	hash, key := r.Bytes(at+11), r.Bytes(at+12)
	chunk := catalog.ID(c[0])
	if len(hash) != len(p.Hash) || len(key) != len(p.Pack.Key) {
		return false, catalog.Invalidf("chunk %s has a hash of %d bytes in a pack with a key of %d", chunk, len(hash), len(key))
	}
	for _, v := range [...]int64{c[1], c[2], c[5], c[7], c[8]} {
		if v&^0xffffffff != 0 {
			return false, catalog.Invalidf("chunk %s is at %d+%d in segment number %d of %d bytes, %d stored", chunk, c[1], c[2], c[5], c[8], c[7])
		}
	}
	*p = catalog.Place{
		Chunk:   chunk,
		Hash:    catalog.Hash(hash),
		Offset:  uint32(c[1]),
		Length:  uint32(c[2]),
		Segment: catalog.Segment{ID: catalog.ID(c[3]), Pack: catalog.ID(c[4]), Number: uint32(c[5]), Offset: c[6], Stored: uint32(c[7]), Length: uint32(c[8])},
		Pack:    catalog.Pack{ID: catalog.ID(c[9]), Key: catalog.PackID(key), Size: c[10]},
	}
	if !p.Chunk.Valid() || !p.Segment.ID.Valid() || !p.Pack.ID.Valid() {
		return false, catalog.Invalidf("chunk %s in segment %s in pack %s", p.Chunk, p.Segment.ID, p.Pack.ID)
	}
	return true, p.Check()
}

// ChunkPlaces tells where chunks are, in any order. Those that are not known, or whose segment or pack is not, are not
// reported.
func (c *Catalog) ChunkPlaces(ctx context.Context, ids []catalog.ID, fn func(*catalog.Place) error) error {
	var p catalog.Place
	return c.db.Many(ctx, &placesByID, Keys{ints(ids)}, nil, func(_ int, r *Row) error {
		if ok, err := readPlace(&p, r, 1); err != nil || !ok {
			return err
		}
		return fn(&p)
	})
}

// PlacesFrom tells where the chunks are that the scan of from made, from that ID on, ascending, limit of them at the
// most: what was packed next.
func (c *Catalog) PlacesFrom(ctx context.Context, from catalog.ID, limit int, fn func(*catalog.Place) error) error {
	return c.places(ctx, &placesFrom, []any{int64(from), int64(catalog.After(from.Scan())), int64(limit)}, fn)
}

// EachPlace tells where all chunks of a pack are, in the order of their places.
func (c *Catalog) EachPlace(ctx context.Context, pack catalog.ID, fn func(*catalog.Place) error) error {
	return c.places(ctx, &placesIn, []any{int64(pack)}, fn)
}

func (c *Catalog) places(ctx context.Context, q *Query, args []any, fn func(*catalog.Place) error) error {
	var p catalog.Place
	return c.db.Query(ctx, q, args, func(r *Row) error {
		if ok, err := readPlace(&p, r, 0); err != nil || !ok {
			return err
		}
		return fn(&p)
	})
}

// Pieces tells the pieces of a content, ascending, limit of them at the most. The first is the one that covers the
// offset from, or else the next after it. ErrInvalid if a piece leads nowhere: that is no hole.
func (c *Catalog) Pieces(ctx context.Context, content catalog.ID, from int64, limit int, fn func(*catalog.PlacedPiece) error) error {
	if limit <= 0 {
		return nil
	}
	var p catalog.PlacedPiece
	told := 0
	end := int64(0)
	// One more than asked for: the first may end before from.
	return c.db.Query(ctx, &placesPiece, []any{int64(content), from, int64(limit) + 1}, func(r *Row) error {
		p.Offset = r.Int(0)
		ok, err := readPlace(&p.Place, r, 2)
		if err != nil {
			return err
		}
		if !ok {
			return catalog.Invalidf("content %s has chunk %s at %d, which is not known, or its segment or pack is not", content, catalog.ID(r.Int(1)), p.Offset)
		}
		if p.Offset < end || p.Offset > maxOffset {
			return catalog.Invalidf("content %s has a piece at %d, its predecessor ends at %d", content, p.Offset, end)
		}
		end = p.Offset + int64(p.Place.Length)
		if end <= from || told == limit {
			return nil
		}
		told++
		return fn(&p)
	})
}

// maxOffset keeps the end of a piece within int64.
const maxOffset = 1<<63 - 1 - catalog.MaxChunk
