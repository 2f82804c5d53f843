package catalog

// Batch is what a stretch of a run learned, complete in itself and with final IDs. It is the unit of the journal (one
// object each), of Apply (one transaction each), and of replay. Part counts the batches of a scan from 0; part 0 has
// Begin and nothing else, the last has End.
type Batch struct {
	Scan int64
	Part int64

	// Digest is that of the journal object that holds the batch. It is not in the object: who wrote or read the object
	// sets it, and Apply keeps the newest one in the scan's row, so that the chain of a scan can be taken up again.
	Digest Hash

	Begin *Begin // part 0 only

	Packs    []Pack
	Segments []Segment
	Chunks   []Chunk
	Pieces   []Piece
	Values   []Value
	Opened   []Entry // Last is Open in all of them
	Closed   []Closed
	Problems []Problem

	End *End // the last part only
}

// Begin is the claim of a scan's number, made by storing part 0.
type Begin struct {
	Source  Source // its ID is new (of this scan) if the writer's catalog did not have the source yet
	Started int64  // ns since 1970
	Tags    []string
	Program string
	// After is the number of the newest scan of this source that the writer's catalog had, finished or not, or -1. A
	// catalog that lacks it, or parts of it, is behind and must not apply this one first.
	After int64
	// AfterParts and AfterDigest are how many parts of scan After that catalog had applied, and the digest of the last of
	// them (0 and zero if After is -1). So scans of a source form one chain, and parts of After from AfterParts on, should there
	// be any, were written by a run that had lost its source: everybody ignores them (ErrSuperseded).
	AfterParts  int64
	AfterDigest Hash
}

// End is how a scan ended, finished or given up.
type End struct {
	Finished int64 // ns since 1970
	State    State // Partial or Complete
	Counts   Counts
}

// Closed ends the interval of an entry: Last is the last scan in which it was so.
type Closed struct {
	ID   ID
	Last int64
}

// Rows is the number of rows that applying b writes, of all kinds; writers cut batches by it.
func (b *Batch) Rows() int {
	return len(b.Packs) + len(b.Segments) + len(b.Chunks) + len(b.Pieces) + len(b.Values) + len(b.Opened) + len(b.Closed) + len(b.Problems)
}

// Check tells what makes b impossible, if anything, as ErrInvalid. It holds every ID that b brings into the repository
// to b's scan, so that no batch can alter what another scan told, other than by closing entries.
func (b *Batch) Check() error {
	if b.Scan < 0 || b.Scan > MaxScan || b.Part < 0 {
		return Invalidf("scan %d, part %d", b.Scan, b.Part)
	}
	if (b.Part == 0) != (b.Begin != nil) {
		return Invalidf("part %d of scan %d: only part 0 begins a scan, and it must", b.Part, b.Scan)
	}
	if b.Begin != nil {
		if err := b.Begin.check(b.Scan); err != nil {
			return err
		}
		if b.Rows() != 0 || b.End != nil {
			return Invalidf("part 0 of scan %d has more than its beginning", b.Scan)
		}
	}
	if b.End != nil && !b.End.State.Finished() {
		return Invalidf("scan %d ends %s", b.Scan, b.End.State)
	}
	own := func(what string, id ID) error {
		if !id.Valid() || id.Scan() != b.Scan {
			return Invalidf("%s %s in a batch of scan %d", what, id, b.Scan)
		}
		return nil
	}
	for i := range b.Packs {
		if err := own("pack", b.Packs[i].ID); err != nil {
			return err
		}
		if s := b.Packs[i].Size; s <= 0 || s > MaxPack {
			return Invalidf("pack %s has %d bytes", b.Packs[i].ID, s)
		}
	}
	for i := range b.Segments {
		s := &b.Segments[i]
		if err := own("segment", s.ID); err != nil {
			return err
		}
		if !s.Pack.Valid() || s.Offset < 0 || s.Offset > MaxPack || s.Stored == 0 || s.Length == 0 || s.Length > MaxSegment {
			return Invalidf("segment %s is %d+%d of pack %s, %d bytes of plaintext", s.ID, s.Offset, s.Stored, s.Pack, s.Length)
		}
	}
	for i := range b.Chunks {
		c := &b.Chunks[i]
		if err := own("chunk", c.ID); err != nil {
			return err
		}
		if !c.Segment.Valid() || c.Length == 0 || c.Length > MaxChunk || uint64(c.Offset)+uint64(c.Length) > MaxSegment {
			return Invalidf("chunk %s is %d+%d of segment %s", c.ID, c.Offset, c.Length, c.Segment)
		}
	}
	for i := range b.Pieces {
		p := &b.Pieces[i]
		if err := own("content", p.Content); err != nil {
			return err
		}
		if p.Offset < 0 || !p.Chunk.Valid() {
			return Invalidf("content %s has chunk %s at %d", p.Content, p.Chunk, p.Offset)
		}
	}
	for i := range b.Values {
		v := &b.Values[i]
		if err := own("value", v.ID); err != nil {
			return err
		}
		if len(v.Bytes) == 0 || len(v.Bytes) > MaxValue || v.Hash != HashValue(v.Bytes) {
			return Invalidf("value %s of %d bytes has the wrong digest or size", v.ID, len(v.Bytes))
		}
	}
	for i := range b.Opened {
		e := &b.Opened[i]
		if err := own("entry", e.ID); err != nil {
			return err
		}
		if err := e.Check(); err != nil {
			return err
		}
		if e.Last != Open {
			return Invalidf("entry %s is opened with its end, scan %d", e.ID, e.Last)
		}
	}
	for i := range b.Closed {
		if c := &b.Closed[i]; !c.ID.Valid() || c.ID.Scan() > b.Scan || c.Last >= b.Scan || c.Last < -1 {
			return Invalidf("scan %d closes entry %s with scan %d", b.Scan, c.ID, c.Last)
		}
	}
	return nil
}

func (b *Begin) check(scan int64) error {
	switch {
	case !b.Source.ID.Valid() || b.Source.ID.Scan() > scan:
		return Invalidf("scan %d begins with source %s", scan, b.Source.ID)
	case b.Source.Host == "" || b.Source.Root == "" || b.Source.Root[0] != '/':
		return Invalidf("scan %d begins with host %q and root %q", scan, b.Source.Host, b.Source.Root)
	case b.After < -1 || b.After >= scan || (b.After == -1) != (b.AfterParts == 0) || b.AfterParts < 0:
		return Invalidf("scan %d begins after %d parts of scan %d", scan, b.AfterParts, b.After)
	}
	return nil
}
