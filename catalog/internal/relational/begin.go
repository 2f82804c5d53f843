package relational

import (
	"context"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/failpoint"
)

// begin applies the first part of a scan. Scans of a source are a chain: each says which one it follows, and how much
// of that it knew.
func begin(ctx context.Context, tx Tx, b *catalog.Batch) error {
	src := b.Begin.Source
	if err := tx.LockName(ctx, src.Host+"\x00"+src.Root); err != nil {
		return err
	}
	if known, err := beganAlready(ctx, tx, b); known || err != nil {
		return err
	}
	fresh, err := placeSource(ctx, tx, b)
	if err != nil {
		return err
	}
	if !fresh {
		if err := checkChain(ctx, tx, b); err != nil {
			return err
		}
	} else if _, err := tx.Exec(ctx, `INSERT INTO source (id, host, root) VALUES ($1, $2, $3)`, int64(src.ID), []byte(src.Host), []byte(src.Root)); err != nil {
		return err
	}
	defer failpoint.Hit("begin.before-commit")
	n, err := tx.Exec(ctx, `INSERT INTO scan (number, source, started, finished, state, tags, program, parts, digest) `+
		`VALUES ($1, $2, $3, 0, $4, $5, $6, 1, $7) ON CONFLICT (number) DO NOTHING`,
		b.Scan, int64(src.ID), b.Begin.Started, int64(catalog.Incomplete), encodeTags(b.Begin.Tags), []byte(b.Begin.Program), b.Digest[:])
	if err == nil && n != 1 {
		err = catalog.Invalidf("two scans have the number %d", b.Scan)
	}
	return err
}

// beganAlready tells whether the scan is there, and sees to it that it is the same one.
func beganAlready(ctx context.Context, tx Tx, b *catalog.Batch) (bool, error) {
	h, err := readHead(ctx, tx, b.Scan)
	if err != nil || h.parts == 0 {
		return false, err
	}
	same := h.source == b.Begin.Source.ID
	if h.parts == 1 && !b.Digest.IsZero() && !h.digest.IsZero() {
		same = same && h.digest == b.Digest
	}
	if !same {
		return true, catalog.Invalidf("two scans have the number %d", b.Scan)
	}
	return true, nil
}

// placeSource locks the source of a beginning scan, or tells that it is new and may be made.
func placeSource(ctx context.Context, tx Tx, b *catalog.Batch) (fresh bool, err error) {
	src := b.Begin.Source
	has, err := lockSource(ctx, tx, src.ID)
	if err != nil {
		return false, err
	}
	if has.ID != 0 {
		if has != src {
			return false, catalog.Invalidf("source %s is %q of host %q, not %q of %q", src.ID, has.Root, has.Host, src.Root, src.Host)
		}
		return false, nil
	}
	other, err := findSource(ctx, tx, src.Host, src.Root)
	switch {
	case err != nil:
		return false, err
	case other != 0 && other < src.ID:
		return false, catalog.ErrSuperseded // whoever made this one did not know the source that is there
	case other != 0:
		return false, catalog.ErrDiverged
	case b.Begin.After >= 0 || src.ID.Scan() != b.Scan:
		return false, catalog.ErrBehind
	}
	return true, nil
}

// checkChain compares what the scan says it follows with what the catalog has of its source.
func checkChain(ctx context.Context, tx Tx, b *catalog.Batch) error {
	newest, err := newestNumber(ctx, tx, b.Begin.Source.ID)
	if err != nil {
		return err
	}
	after := b.Begin.After
	switch {
	case newest > after:
		return catalog.ErrSuperseded
	case newest < after:
		return catalog.ErrBehind
	case after < 0:
		return nil
	}
	h, err := readHead(ctx, tx, after)
	switch {
	case err != nil:
		return err
	case h.parts < b.Begin.AfterParts:
		return catalog.ErrBehind
	case h.parts > b.Begin.AfterParts:
		return catalog.ErrDiverged
	case h.digest != b.Begin.AfterDigest && !h.digest.IsZero() && !b.Begin.AfterDigest.IsZero():
		return catalog.ErrDiverged
	}
	return nil
}
