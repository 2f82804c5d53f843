// Package journal is the form in which a batch is kept in the store: bytes, neither compressed nor encrypted here.
//
// After one byte for the version comes a CBOR map (RFC 8949, deterministic) of columns, one for each field of each kind
// of row. A column is a byte string of LEB128 integers, most of them differences to what is expected from the rows before:
// what is as expected costs a zero, which compresses to nothing. docs/format.md has the columns.
package journal

import (
	"errors"
	"fmt"

	"github.com/fxamacker/cbor/v2"

	"github.com/bus3/bus3/catalog"
)

const (
	// Version is the version of the format, the first byte.
	Version = 1
	// MaxSize is the largest encoded batch, bytes. Writers cut batches long before, by Size.
	MaxSize = 128 << 20
	// MaxRows is how many rows of one kind a batch can have at the most.
	MaxRows = 1 << 20
)

// ErrTooLarge: the batch has more than MaxSize bytes or MaxRows rows.
var ErrTooLarge = errors.New("the batch is too large for the journal")

// wire is the CBOR map. Numbers of fields are never used again for another purpose.
type wire struct {
	Scan  int64      `cbor:"1,keyasint"`
	Part  int64      `cbor:"2,keyasint"`
	Begin *wireBegin `cbor:"3,keyasint,omitempty"`
	End   *wireEnd   `cbor:"4,keyasint,omitempty"`

	Packs    packColumns    `cbor:"10,keyasint,omitzero"`
	Segments segmentColumns `cbor:"11,keyasint,omitzero"`
	Chunks   chunkColumns   `cbor:"12,keyasint,omitzero"`
	Pieces   pieceColumns   `cbor:"13,keyasint,omitzero"`
	Values   valueColumns   `cbor:"14,keyasint,omitzero"`
	Opened   entryColumns   `cbor:"15,keyasint,omitzero"`
	Closed   closedColumns  `cbor:"16,keyasint,omitzero"`
	Problems problemColumns `cbor:"17,keyasint,omitzero"`
}

// Encode appends b to dst. b must hold: it is not checked here. Equal batches have equal bytes.
func Encode(dst []byte, b *catalog.Batch) ([]byte, error) {
	if size := Size(b); b.Rows() > MaxRows || size > MaxSize {
		return nil, fmt.Errorf("part %d of scan %d: %w: %d rows, %d bytes", b.Part, b.Scan, ErrTooLarge, b.Rows(), size)
	}
	lengths := chunkLengths(b.Chunks)
	w := wire{
		Scan: b.Scan, Part: b.Part,
		Begin: fromBegin(b.Begin), End: fromEnd(b.End),
		Packs:    fromPacks(b),
		Segments: fromSegments(b),
		Chunks:   fromChunks(b),
		Pieces:   fromPieces(b, lengths),
		Values:   fromValues(b),
		Opened:   fromEntries(b, lengths),
		Closed:   fromClosed(b),
		Problems: fromProblems(b),
	}
	mode, err := cbor.CoreDetEncOptions().EncMode()
	if err != nil {
		return nil, err
	}
	data, err := mode.Marshal(&w)
	if err != nil {
		return nil, fmt.Errorf("encode part %d of scan %d: %w", b.Part, b.Scan, err)
	}
	return append(append(dst, Version), data...), nil
}

// Decode reads what Encode wrote: a batch that passes Batch.Check, or catalog.ErrInvalid. It allocates in proportion to
// len(data). Digest is not set. Nothing in the batch aliases data.
func Decode(data []byte) (*catalog.Batch, error) {
	w, err := unmarshal(data)
	if err != nil {
		return nil, err
	}
	if w.Scan < 0 || w.Scan > catalog.MaxScan {
		return nil, catalog.Invalidf("scan %d", w.Scan)
	}
	d := &decoder{scan: w.Scan}
	b := &catalog.Batch{Scan: w.Scan, Part: w.Part, Begin: w.Begin.begin(d), End: w.End.end(d)}
	b.Packs = w.Packs.rows(d)
	b.Segments = w.Segments.rows(d)
	b.Chunks = w.Chunks.rows(d)
	lengths := chunkLengths(b.Chunks)
	b.Pieces = w.Pieces.rows(d, lengths)
	b.Values = w.Values.rows(d)
	b.Opened = w.Opened.rows(d, lengths)
	b.Closed = w.Closed.rows(d)
	b.Problems = w.Problems.rows(d)
	if d.bad != "" {
		return nil, catalog.Invalidf("part %d of scan %d: %s do not hold together", b.Part, b.Scan, d.bad)
	}
	if err := b.Check(); err != nil {
		return nil, err
	}
	return b, nil
}

func unmarshal(data []byte) (*wire, error) {
	if len(data) == 0 || len(data) > MaxSize {
		return nil, catalog.Invalidf("a batch of %d bytes", len(data))
	}
	if data[0] != Version {
		return nil, catalog.Invalidf("a batch of version %d; this program reads version %d", data[0], Version)
	}
	mode, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:   4,
		MaxArrayElements:  1 << 16,
		MaxMapPairs:       64,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode()
	if err != nil {
		return nil, err
	}
	var w wire
	if err := mode.Unmarshal(data[1:], &w); err != nil {
		return nil, catalog.Invalidf("a batch: %v", err)
	}
	return &w, nil
}

// Size is how many bytes b takes at the most when it is encoded, and several times of what it takes as a rule; writers
// cut batches by it, long before MaxSize.
func Size(b *catalog.Batch) int {
	size := 512 + 80*(len(b.Packs)+len(b.Segments)+len(b.Chunks)+len(b.Pieces)+len(b.Closed))
	if b.Begin != nil {
		size += len(b.Begin.Source.Host) + len(b.Begin.Source.Root) + len(b.Begin.Program)
		for _, t := range b.Begin.Tags {
			size += 9 + len(t)
		}
	}
	for i := range b.Values {
		size += 32 + len(b.Values[i].Bytes)
	}
	for i := range b.Opened {
		size += EntrySize(&b.Opened[i])
	}
	for i := range b.Problems {
		size += 16 + len(b.Problems[i].Path) + len(b.Problems[i].Message)
	}
	return size
}

// EntrySize is the part that an entry has in Size.
func EntrySize(e *catalog.Entry) int { return 256 + len(e.Name) + len(e.Target) }
