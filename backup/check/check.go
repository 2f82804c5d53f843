// Package check holds catalog, journal and the listing of the store against each other.
//
// Every journal object that the catalog has applied must be in the store, authentic, and in its place in the chain of
// its scan; every pack that the catalog knows must be there with its size; no row may refer to one that is not there.
// With Options.ReadData every segment is read, opened and held to the hashes of its chunks. What is in the store and
// needed by nobody is garbage: named and counted, and no fault.
//
// It reads everything and changes nothing, except that the catalog remembers when a pack was verified, or that it is broken: then the next backup that
// meets what was in it stores it again. It can run
// beside backups: what they write meanwhile is not judged. That rests on the order of durability (pack, journal, catalog) and on
// looking in the reverse order: what the catalog had when the check began must be in the journal and in the store, which
// are listed later; and what was found there and not in the catalog is looked up once more before it is called garbage.
package check

import (
	"context"
	"fmt"
	"time"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
	"github.com/bus3/bus3/s3store/seal"
)

// Catalog is what a check needs of an engine.
type Catalog interface {
	Repository(ctx context.Context) (catalog.RepositoryID, error)
	Scans(ctx context.Context, fn func(*catalog.Scan) error) error
	Scan(ctx context.Context, number int64) (catalog.Scan, error)
	Problems(ctx context.Context, scan int64, fn func(*catalog.Problem) error) error
	EachPack(ctx context.Context, fn func(p *catalog.Pack, verified int64) error) error
	EachPlace(ctx context.Context, pack catalog.ID, fn func(*catalog.Place) error) error
	Users(ctx context.Context, chunks []catalog.ID, fn func(*catalog.Entry) error) error
	Entry(ctx context.Context, id catalog.ID) (catalog.Entry, error)
	Directory(ctx context.Context, scan int64, ino catalog.ID) (catalog.Entry, error)
	Dangling(ctx context.Context, fn func(catalog.Dangling) error) error
	MarkVerified(ctx context.Context, packs []catalog.ID, at int64) error
}

// Repository is what a check needs of an opened repository.
type Repository interface {
	ID() catalog.RepositoryID
	Keys() *seal.Keys
	Parts(ctx context.Context, fromScan int64, fn func(repository.Part) error) error
	GetPartAny(ctx context.Context, scan, part int64) (*catalog.Batch, catalog.Hash, error)
	ListKeys(ctx context.Context) ([]repository.Key, error)
}

// Store is what a check needs of a store.
type Store interface {
	List(ctx context.Context, prefix, after string, fn func(s3store.Object) error) error
	GetRange(ctx context.Context, key string, off int64, dst []byte) (int, error)
}

// Options are what to check. The zero value reads the journal and the listing of the store, and no pack.
type Options struct {
	// ReadData reads packs and verifies every segment and chunk in them.
	ReadData bool
	// Fraction (0 to 1) and Bytes, if either is not 0, limit how much ReadData reads: what was not verified for the longest time
	// comes first.
	Fraction float64
	Bytes    int64
	// Found, if set, is called with each finding as it is made.
	Found func(Finding)
	// Progress, if set, is called now and then with the bytes of packs that were read and that are to be read.
	Progress func(done, total int64)
}

// Severity tells faults from what is only worth knowing.
type Severity string

// The severities. Only faults make a check fail.
const (
	Fault   Severity = "fault"
	Garbage Severity = "garbage" // in the store, needed by nobody
	Note    Severity = "note"
)

// Kind is what a finding is about.
type Kind string

// The kinds of findings.
const (
	JournalMissing Kind = "journal-missing"
	JournalDamaged Kind = "journal-damaged"
	JournalChain   Kind = "journal-chain" // exchanged, or replaced by another version
	JournalAhead   Kind = "journal-ahead" // newer than the catalog
	JournalIgnored Kind = "journal-ignored"
	Unfinished     Kind = "unfinished" // a backup without an end
	PackMissing    Kind = "pack-missing"
	PackSize       Kind = "pack-size"
	PackDamaged    Kind = "pack-damaged"
	KeyDamaged     Kind = "key-damaged"
	MarkerMissing  Kind = "marker-missing"
	Dangles        Kind = "dangling"
	Unused         Kind = "unused"  // a pack that no part names
	Foreign        Kind = "foreign" // no object of bus3
	NotRemembered  Kind = "not-remembered"
	KnownLoss      Kind = "known-loss"   // a journal object that is lost, and that the catalog was filled without
	JournalBack    Kind = "journal-back" // a journal object that was lost when the catalog was filled, and is there now
)

// Finding is one thing that a check has to say.
type Finding struct {
	Severity Severity
	Kind     Kind
	Key      string // of the object, if it is about one
	Scan     int64  // that wrote it, or -1
	Message  string
	Bytes    int64 // of the object
	// Files is how many versions of files the fault touches, Paths the first of them.
	Files int64
	Paths []Path
}

// Path is a file that a fault touches, in the scans from First to Last (-1: to the newest). Host and Path are bytes.
type Path struct {
	Host, Path  string
	First, Last int64
}

// Report is what a check found.
type Report struct {
	Scans          int64
	JournalObjects int64
	Behind         int64 // journal objects that the catalog lacks
	Packs          int64 // known to the catalog
	PackBytes      int64
	PacksRead      int64
	BytesRead      int64
	Faults         int64
	GarbageObjects int64
	GarbageBytes   int64
	Notes          int64
	KnownLosses    int64 // among the notes
	Duration       time.Duration
}

// checker is one run.
type checker struct {
	cat     Catalog
	store   Store
	repo    Repository
	o       Options
	report  Report
	scans   map[int64]catalog.Scan  // as they were when the check began
	highest int64                   // number of a scan, in the catalog or in the journal
	newest  int64                   // number of a scan in the catalog
	packs   []row                   // as they were when the check began, by key
	ahead   map[int64]*ahead        // scans of which the journal had more than the catalog
	broken  map[catalog.PackID]bool // reported already
	forgets bool                    // the catalog may not be written to
	lost    map[string]bool         // keys of journal objects that the catalog was filled without
}

// Run checks. The error is about the check itself (store or catalog out of reach, interrupted): findings are in the
// report, and go to Options.Found.
func Run(ctx context.Context, cat Catalog, store Store, repo Repository, o Options) (*Report, error) {
	started := time.Now()
	c := &checker{
		cat: cat, store: store, repo: repo, o: o, highest: -1, newest: -1,
		scans: map[int64]catalog.Scan{}, ahead: map[int64]*ahead{}, broken: map[catalog.PackID]bool{}, lost: map[string]bool{},
	}
	err := c.run(ctx)
	c.report.Duration = time.Since(started)
	return &c.report, err
}

func (c *checker) run(ctx context.Context) error {
	id, err := c.cat.Repository(ctx)
	if err != nil {
		return fmt.Errorf("whose catalog is it: %w", err)
	}
	if id != c.repo.ID() {
		return catalog.ErrOtherRepository
	}
	err = c.cat.Scans(ctx, func(s *catalog.Scan) error {
		c.scans[s.Number] = *s
		c.highest, c.newest = max(c.highest, s.Number), max(c.newest, s.Number)
		c.report.Scans++
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the catalog's scans: %w", err)
	}
	for _, step := range []func(context.Context) error{c.knownPacks, c.knownLosses, c.journal, c.objects, c.keys, c.dangling, c.data} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (c *checker) found(f Finding) {
	switch f.Severity {
	case Fault:
		c.report.Faults++
	case Garbage:
		c.report.GarbageObjects++
		c.report.GarbageBytes += f.Bytes
	case Note:
		c.report.Notes++
	}
	if c.o.Found != nil {
		c.o.Found(f)
	}
}

// keys sees to it that everything that opens the repository does.
func (c *checker) keys(ctx context.Context) error {
	all, err := c.repo.ListKeys(ctx)
	if err != nil {
		return fmt.Errorf("check the keys: %w", err)
	}
	for i := range all {
		if k := &all[i]; k.Damage != nil {
			c.found(Finding{
				Severity: Fault, Kind: KeyDamaged, Key: repository.KeysPrefix + k.Name, Scan: -1,
				Message: fmt.Sprintf("%v; whoever has only that key cannot open the repository: remove it and add it anew (bus3 key)", k.Damage),
			})
		}
	}
	return nil
}
