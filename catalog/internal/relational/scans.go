package relational

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/bus3/bus3/catalog"
)

const (
	countColumns = `files, dirs, others, entries_new, changed, unchanged, removed, bytes, bytes_read, bytes_new, bytes_stored, objects, problems, entries_opened, entries_closed`

	scanColumns = `SELECT s.number, s.source, s.started, s.finished, s.state, s.parts, ` + countColumns + `, s.tags, s.program, s.digest, o.host, o.root ` +
		`FROM scan s LEFT JOIN source o ON o.id = s.source `
	scanShape = "iiiiii" + "iiiiiiiiiiiiiii" + "bbbbb"
)

var (
	allScans    = Query{SQL: scanColumns + `ORDER BY s.number`, Shape: scanShape}
	scanNumber  = Query{SQL: scanColumns + `WHERE s.number = $1`, Shape: scanShape}
	newestScan  = Query{SQL: scanColumns + `WHERE s.source = $1 ORDER BY s.number DESC LIMIT 1`, Shape: scanShape}
	sourceNamed = Query{SQL: `SELECT id FROM source WHERE host = $1 AND root = $2 ORDER BY id`, Shape: "i"}
	problemsOf  = Query{SQL: `SELECT path, message FROM problem WHERE scan = $1 ORDER BY part, number`, Shape: "bb"}
)

// counts are pointers to all of k, in the order of countColumns.
func counts(k *catalog.Counts) [15]*int64 {
	return [15]*int64{
		&k.Files, &k.Dirs, &k.Others, &k.New, &k.Changed, &k.Unchanged, &k.Removed, &k.Bytes, &k.BytesRead, &k.BytesNew,
		&k.BytesStored, &k.Objects, &k.Problems, &k.EntriesOpened, &k.EntriesClosed,
	}
}

func readScan(s *catalog.Scan, r *Row) error {
	*s = catalog.Scan{
		Number:   r.Int(0),
		Source:   catalog.Source{ID: catalog.ID(r.Int(1)), Host: string(r.Bytes(24)), Root: string(r.Bytes(25))},
		Started:  r.Int(2),
		Finished: r.Int(3),
		State:    catalog.State(r.Int(4)),
		Parts:    r.Int(5),
		Program:  string(r.Bytes(22)),
	}
	for i, at := range counts(&s.Counts) {
		*at = r.Int(6 + i)
	}
	digest := r.Bytes(23)
	var ok bool
	s.Tags, ok = decodeTags(r.Bytes(21))
	switch {
	case s.Number < 0 || s.Number > catalog.MaxScan || r.Int(4) < int64(catalog.Incomplete) || r.Int(4) > int64(catalog.Complete) || s.Parts < 1,
		len(digest) != len(s.Digest), !ok:
		return catalog.Invalidf("the row of scan %d: state %d, %d parts, a digest of %d bytes", s.Number, r.Int(4), s.Parts, len(digest))
	case !s.Source.ID.Valid() || s.Source.Host == "" || s.Source.Root == "" || s.Source.Root[0] != '/':
		return catalog.Invalidf("scan %d has source %s, host %q, root %q", s.Number, s.Source.ID, s.Source.Host, s.Source.Root)
	}
	s.Digest = catalog.Hash(digest)
	return nil
}

// encodeTags is each tag with its length before it: tags are bytes like names.
func encodeTags(tags []string) []byte {
	out := []byte{}
	for _, t := range tags {
		out = append(binary.AppendUvarint(out, uint64(len(t))), t...)
	}
	return out
}

func decodeTags(b []byte) ([]string, bool) {
	var tags []string
	for len(b) > 0 {
		n, used := binary.Uvarint(b)
		if used <= 0 || n > uint64(len(b)-used) {
			return nil, false
		}
		tags = append(tags, string(b[used:used+int(n)]))
		b = b[used+int(n):]
	}
	return tags, true
}

// FindSource is the source with that host and root; ErrNotFound.
func (c *Catalog) FindSource(ctx context.Context, host, root string) (catalog.Source, error) {
	id, err := findSource(ctx, c.db, host, root)
	if err == nil && id == 0 {
		err = fmt.Errorf("source %q of host %q: %w", root, host, catalog.ErrNotFound)
	}
	return catalog.Source{ID: id, Host: host, Root: root}, err
}

func findSource(ctx context.Context, db Reader, host, root string) (catalog.ID, error) {
	id := catalog.ID(0)
	err := db.Query(ctx, &sourceNamed, []any{[]byte(host), []byte(root)}, func(r *Row) error {
		if id == 0 {
			id = catalog.ID(r.Int(0))
		}
		return nil
	})
	return id, err
}

// NewestScan is the scan of a source with the highest number, of any state; ErrNotFound.
func (c *Catalog) NewestScan(ctx context.Context, source catalog.ID) (catalog.Scan, error) {
	s, err := oneScan(ctx, c.db, &newestScan, int64(source))
	if err != nil {
		return s, fmt.Errorf("newest scan of source %s: %w", source, err)
	}
	return s, nil
}

// Scan is the scan with that number; ErrNotFound.
func (c *Catalog) Scan(ctx context.Context, number int64) (catalog.Scan, error) {
	s, err := oneScan(ctx, c.db, &scanNumber, number)
	if err != nil {
		return s, fmt.Errorf("scan %d: %w", number, err)
	}
	return s, nil
}

func oneScan(ctx context.Context, db Reader, q *Query, arg int64) (catalog.Scan, error) {
	var s catalog.Scan
	found := false
	err := db.Query(ctx, q, []any{arg}, func(r *Row) error {
		found = true
		return readScan(&s, r)
	})
	if err == nil && !found {
		err = catalog.ErrNotFound
	}
	return s, err
}

// Scans tells all scans, of any state, by number.
func (c *Catalog) Scans(ctx context.Context, fn func(*catalog.Scan) error) error {
	var s catalog.Scan
	return c.db.Query(ctx, &allScans, nil, func(r *Row) error {
		if err := readScan(&s, r); err != nil {
			return err
		}
		return fn(&s)
	})
}

// Problems tells what a scan could not back up, in the order in which it met it.
func (c *Catalog) Problems(ctx context.Context, scan int64, fn func(*catalog.Problem) error) error {
	var p catalog.Problem
	return c.db.Query(ctx, &problemsOf, []any{scan}, func(r *Row) error {
		p = catalog.Problem{Path: string(r.Bytes(0)), Message: string(r.Bytes(1))}
		return fn(&p)
	})
}
