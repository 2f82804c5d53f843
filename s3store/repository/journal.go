package repository

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/failpoint"
	"github.com/bus3/bus3/catalog/journal"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/seal"
)

// JournalPrefix is what the keys of all parts of the journal begin with.
const JournalPrefix = "journal/"

// A part is a head, authenticated but not encrypted, and what is sealed: the length of the encoded batch (unsigned
// LEB128) and the batch as seal.Compress made it. The salt is random: two writers that try to claim the same part,
// of which one loses, seal under different keys.
const (
	journalMagic  = "bus3jrn\x01" // the last byte is the version
	saltSize      = 16
	journalHead   = len(journalMagic) + saltSize + len(catalog.Hash{})
	maxJournal    = journal.MaxSize + 1<<20
	maxPart       = 99_999_999
	journalDigits = 10
	partDigits    = 8
)

// Part is an object of the journal, as it is listed.
type Part struct {
	Scan, Part int64
	Size       int64 // bytes in the store
}

// JournalKey is the key of a part of a scan's journal. Keys sort as their numbers do.
func JournalKey(scan, part int64) string {
	return fmt.Sprintf("%s%0*d/%0*d", JournalPrefix, journalDigits, scan, partDigits, part)
}

// ParseJournalKey is the reverse of JournalKey. It refuses every other spelling.
func ParseJournalKey(key string) (scan, part int64, ok bool) {
	a, b, found := strings.Cut(strings.TrimPrefix(key, JournalPrefix), "/")
	scan, err1 := strconv.ParseInt(a, 10, 64)
	part, err2 := strconv.ParseInt(b, 10, 64)
	if !found || err1 != nil || err2 != nil || scan < 0 || scan > catalog.MaxScan || part < 0 || part > maxPart {
		return 0, 0, false
	}
	return scan, part, JournalKey(scan, part) == key
}

// PutPart stores a batch, unless that part of the scan exists: then it is ErrTaken. previous is the digest of the part
// before; for part 0 it is not looked at, Begin.AfterDigest stands for it. It sets b.Digest, and returns the size of
// the object. The batch must pass Batch.Check.
func (r *Repository) PutPart(ctx context.Context, b *catalog.Batch, previous catalog.Hash) (size int64, err error) {
	key := JournalKey(b.Scan, b.Part)
	if err := b.Check(); err != nil {
		return 0, fmt.Errorf("write %s: %w", key, err)
	}
	if b.Part > maxPart {
		return 0, fmt.Errorf("write %s: a scan has %d parts at the most", key, maxPart+1)
	}
	if b.Begin != nil {
		previous = b.Begin.AfterDigest
	}
	object, err := r.sealPart(b, previous)
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", key, err)
	}
	failpoint.Hit("journal.sealed")
	switch err := r.store.PutNew(ctx, key, object); {
	case errors.Is(err, s3store.ErrExists):
		return 0, fmt.Errorf("write %s: %w", key, ErrTaken)
	case err != nil:
		return 0, fmt.Errorf("write %s: %w", key, err)
	}
	failpoint.Hit("journal.stored")
	b.Digest = sha256.Sum256(object)
	return int64(len(object)), nil
}

// GetPart reads a part of a scan's journal and verifies all of it: that it was written for this place in this
// repository, after the part whose digest is previous, and that the batch holds. For part 0 previous is not looked at:
// its predecessor is Begin.AfterDigest. What is wrong with an object, missing included, is a *DamageError. Digest of the
// batch is set.
func (r *Repository) GetPart(ctx context.Context, scan, part int64, previous catalog.Hash) (*catalog.Batch, error) {
	b, found, err := r.GetPartAny(ctx, scan, part)
	if err != nil {
		return nil, err
	}
	if part != 0 && found != previous {
		return nil, &DamageError{
			Key:    JournalKey(scan, part),
			Reason: fmt.Sprintf("it follows another object than %s as it is now: one of the two was exchanged", JournalKey(scan, part-1)),
		}
	}
	return b, nil
}

// GetPartAny is GetPart without knowing the predecessor: everything but the chain is verified. previous is the digest
// that the part names as that of its predecessor.
func (r *Repository) GetPartAny(ctx context.Context, scan, part int64) (b *catalog.Batch, previous catalog.Hash, err error) {
	key := JournalKey(scan, part)
	object, err := r.store.Get(ctx, key, maxJournal)
	switch {
	case errors.Is(err, s3store.ErrNotExist):
		return nil, previous, &DamageError{Key: key, Reason: "it is missing", Err: err}
	case errors.Is(err, s3store.ErrTooLarge):
		return nil, previous, &DamageError{Key: key, Reason: "it is larger than any part of a journal", Err: err}
	case err != nil:
		return nil, previous, fmt.Errorf("read %s: %w", key, err)
	}
	b, previous, err = r.openPart(object, scan, part)
	if err != nil {
		return nil, previous, &DamageError{Key: key, Reason: err.Error(), Err: err}
	}
	b.Digest = sha256.Sum256(object)
	return b, previous, nil
}

// Parts calls fn for the objects of the journal from the beginning of a scan on, in the order of their numbers. What
// is not the key of a part is passed over.
func (r *Repository) Parts(ctx context.Context, fromScan int64, fn func(Part) error) error {
	after := fmt.Sprintf("%s%0*d", JournalPrefix, journalDigits, max(fromScan, 0))
	return r.store.List(ctx, JournalPrefix, after, func(o s3store.Object) error {
		scan, part, ok := ParseJournalKey(o.Key)
		if !ok {
			return nil
		}
		return fn(Part{Scan: scan, Part: part, Size: o.Size})
	})
}

func (r *Repository) sealPart(b *catalog.Batch, previous catalog.Hash) ([]byte, error) {
	raw, err := journal.Encode(nil, b)
	if err != nil {
		return nil, err
	}
	object := make([]byte, journalHead, journalHead+binary.MaxVarintLen64+1+len(raw)+seal.Overhead)
	copy(object, journalMagic)
	_, _ = rand.Read(object[len(journalMagic) : len(journalMagic)+saltSize]) // never fails
	copy(object[len(journalMagic)+saltSize:], previous[:])
	box, about := r.partBox(object, b.Scan, b.Part)
	object = binary.AppendUvarint(object, uint64(len(raw)))
	object = seal.Compress(object, raw, seal.Default)
	return box.Seal(object[:journalHead], 0, object[journalHead:], about), nil
}

func (r *Repository) openPart(object []byte, scan, part int64) (b *catalog.Batch, previous catalog.Hash, err error) {
	if len(object) < journalHead || !bytes.HasPrefix(object, []byte(journalMagic)) {
		return nil, previous, fmt.Errorf("it is no part of a journal of version %d", journalMagic[len(journalMagic)-1])
	}
	box, about := r.partBox(object, scan, part)
	plain, err := box.Open(nil, 0, object[journalHead:], about)
	if err != nil {
		return nil, previous, errors.New("it was altered, truncated or exchanged: it does not authenticate")
	}
	length, used := binary.Uvarint(plain)
	if used <= 0 || length > journal.MaxSize {
		return nil, previous, fmt.Errorf("it has an impossible length, %d", length)
	}
	raw, err := seal.Decompress(nil, plain[used:], int(length))
	if err != nil {
		return nil, previous, err
	}
	if b, err = journal.Decode(raw); err != nil {
		return nil, previous, err
	}
	copy(previous[:], object[journalHead-len(previous):])
	if b.Scan != scan || b.Part != part || b.Begin != nil && b.Begin.AfterDigest != previous {
		return nil, previous, catalog.Invalidf("it holds part %d of scan %d, after %s", b.Part, b.Scan, previous)
	}
	return b, previous, nil
}

// partBox is the box of a part, and what is authenticated with it: head, scan and part. The key depends on the salt.
func (r *Repository) partBox(object []byte, scan, part int64) (box *seal.Box, about []byte) {
	about = append([]byte(nil), object[:journalHead]...)
	about = binary.BigEndian.AppendUint64(about, uint64(scan))
	about = binary.BigEndian.AppendUint64(about, uint64(part))
	id := sha256.Sum256(append([]byte("bus3 journal part"), about...))
	return r.keys.Box(seal.Journal, [16]byte(id[:16])), about
}
