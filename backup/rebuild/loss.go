package rebuild

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
)

// loss describes that part of the scan being replayed.
func (r *replay) loss(part int64, why string) Loss {
	return Loss{
		Key: repository.JournalKey(r.now.number, part), Scan: r.now.number, Part: part,
		Host: r.now.source.Host, Root: r.now.source.Root, Reason: why,
	}
}

// note records a loss and marks the source, or fails where losses are not to be recovered around.
func (r *replay) note(_ context.Context, loss Loss, cause error) error {
	if !r.o.Recover {
		return &LossError{Loss: loss, Err: cause}
	}
	r.report.Losses = append(r.report.Losses, loss)
	if id := r.now.source.ID; id != 0 && !r.lossy(id) {
		r.marked[id] = loss.Scan
	}
	return nil
}

// lossy tells whether something of that source was lost.
func (r *replay) lossy(source catalog.ID) bool {
	_, found := r.marked[source]
	return found
}

// doubt makes the end of a scan that comes after a loss say so.
func (r *replay) doubt(ctx context.Context, b *catalog.Batch) error {
	b.End.State = catalog.Partial
	b.Problems = append(b.Problems, catalog.Problem{
		Path:    r.now.source.Root,
		Message: fmt.Sprintf("journal objects of scan %d are lost: names may be missing here, or be older than they should", r.marked[r.now.source.ID]),
	})
	if s := r.surveyed[b.Scan]; s != nil {
		return r.standIns(ctx, s, b)
	}
	return nil
}

// lose puts a stand-in in the place of a lost part, so that what follows can be applied.
func (r *replay) lose(ctx context.Context, part int64, why string, cause error) error {
	if r.now.ended || part < r.now.parts {
		return r.note(ctx, r.loss(part, why), cause)
	}
	loss := r.loss(part, why)
	if !r.o.Recover {
		return &LossError{Loss: loss, Err: cause}
	}
	s, err := r.survey(ctx, r.now.number)
	if err != nil {
		return err
	}
	if r.now.source.ID == 0 {
		r.now.source = s.owner
		loss.Host, loss.Root = s.owner.Host, s.owner.Root
	}
	b, err := r.standInPart(ctx, s, &loss)
	if err != nil {
		return err
	}
	if err := r.note(ctx, loss, cause); err != nil {
		return err
	}
	return r.apply(ctx, b)
}

// standInPart is the batch that takes the place of a lost part: a beginning that is guessed, or the packs that no
// other part tells of, directories for names that would hang in the air, and the problem itself.
func (r *replay) standInPart(ctx context.Context, s *survey, loss *Loss) (b *catalog.Batch, err error) {
	b = &catalog.Batch{Scan: loss.Scan, Part: loss.Part}
	if loss.Part == 0 {
		b.Begin, err = r.guessBegin(ctx, s)
		return b, err
	}
	b.Problems = []catalog.Problem{{Path: r.now.source.Root, Message: fmt.Sprintf("journal object %s %s", loss.Key, loss.Reason)}}
	if err := r.adopt(ctx, s, b); err != nil {
		return nil, err
	}
	if err := r.standIns(ctx, s, b); err != nil {
		return nil, err
	}
	if r.now.last {
		b.End = &catalog.End{Finished: r.now.until, State: catalog.Partial}
	}
	for i := range b.Opened {
		if name := b.Opened[i].Name; name != "" {
			loss.StandIns = append(loss.StandIns, name)
		}
	}
	return b, nil
}

// guessBegin makes a beginning for a scan whose own is lost: of the source that its entries name, after the newest
// scan of that source.
func (r *replay) guessBegin(ctx context.Context, s *survey) (*catalog.Begin, error) {
	b := &catalog.Begin{Source: s.owner, Program: "lost", After: -1}
	err := r.cat.Scans(ctx, func(known *catalog.Scan) error {
		if known.Source.ID == s.owner.ID && known.Number < r.now.number {
			b.After, b.AfterParts, b.AfterDigest, b.Started = known.Number, known.Parts, known.Digest, known.Started
		}
		return nil
	})
	return b, err
}

// survey is what the journal that is left tells of a scan: whose it is, and which of its directories are presumed.
type survey struct {
	owner   catalog.Source
	started int64
	orphans []catalog.ID            // identities of directories that were new in the scan and are in no part of it, ascending
	rootIno catalog.ID              // identity of the root, if it was new in the scan and a later one tells it
	hasRoot bool                    // a part that is left opens the root
	packs   map[catalog.PackID]bool // told by the parts that are left
	stood   bool                    // stand-ins are made

	have, need map[catalog.ID]bool // directories
}

func (r *replay) survey(ctx context.Context, number int64) (*survey, error) {
	if s := r.surveyed[number]; s != nil {
		return s, nil
	}
	s := &survey{owner: r.now.source, packs: map[catalog.PackID]bool{}, have: map[catalog.ID]bool{}, need: map[catalog.ID]bool{}}
	err := each(ctx, r.journal, func(ctx context.Context, fn func(listed) error) error {
		return r.journal.Parts(ctx, number, func(p repository.Part) error { return fn(listed{Part: p}) })
	}, func(f *fetched) error {
		if f.damage == nil {
			s.read(f.batch, number)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(s.need)) {
		if !s.have[id] {
			s.orphans = append(s.orphans, id)
		}
	}
	s.have, s.need = nil, nil
	if err := r.name(ctx, s, number); err != nil {
		return nil, err
	}
	r.surveyed[number] = s
	return s, nil
}

// read takes down what a batch of the scan, or of a later one, tells about it.
func (s *survey) read(b *catalog.Batch, number int64) {
	own := b.Scan == number
	if own && b.Begin != nil {
		s.owner, s.started = b.Begin.Source, b.Begin.Started
	}
	if b.Begin != nil && b.Begin.After == number && s.owner.ID == 0 { // a scan without changes has no entry that tells
		s.owner = b.Begin.Source
	}
	if own {
		for i := range b.Packs {
			s.packs[b.Packs[i].Key] = true
		}
	}
	for i := range b.Opened {
		e := &b.Opened[i]
		if own && s.owner.ID == 0 {
			s.owner.ID = e.Source
		}
		if own && e.Kind == catalog.Directory {
			s.have[e.Ino] = true
		}
		switch {
		case e.IsRoot() && e.Ino.Scan() == number:
			s.hasRoot = s.hasRoot || own
			s.rootIno = e.Ino
			s.need[e.Ino] = true
		case !e.IsRoot() && e.Dir.Scan() == number:
			s.need[e.Dir] = true
		}
	}
}

// name finds the host and root of the scan's source among the scans that the catalog knows and those that come later; a
// source that nobody else tells of gets a name that says so.
func (r *replay) name(ctx context.Context, s *survey, number int64) error {
	if s.owner.Host != "" {
		return nil
	}
	err := r.cat.Scans(ctx, func(known *catalog.Scan) error {
		if known.Source.ID == s.owner.ID {
			s.owner = known.Source
		}
		return nil
	})
	if err == nil && s.owner.Host == "" {
		err = r.nameFromLater(ctx, s, number)
	}
	if err == nil && s.owner.Host == "" {
		if s.owner.ID == 0 {
			s.owner.ID = catalog.NewID(number, catalog.MaxCounter)
		}
		s.owner.Host, s.owner.Root = "lost", fmt.Sprintf("/lost/scan-%d", number)
	}
	return err
}

// nameFromLater looks for a later scan of the same source.
func (r *replay) nameFromLater(ctx context.Context, s *survey, number int64) error {
	err := each(ctx, r.journal, func(ctx context.Context, fn func(listed) error) error {
		return r.journal.Parts(ctx, number+1, func(p repository.Part) error {
			if p.Part != 0 {
				return nil
			}
			return fn(listed{Part: p})
		})
	}, func(f *fetched) error {
		if f.damage == nil && f.batch.Begin.Source.ID == s.owner.ID {
			s.owner = f.batch.Begin.Source
			return errDone
		}
		return nil
	})
	if errors.Is(err, errDone) {
		return nil
	}
	return err
}

// standIns adds directories in the root of the scan for those that only lost parts had told, once per scan and as soon
// as its root is known. Their IDs count down from the end of the scan's range, where no run ever comes.
func (r *replay) standIns(ctx context.Context, s *survey, b *catalog.Batch) error {
	if s.stood || len(s.orphans) == 0 {
		return nil
	}
	root, err := r.rootFor(ctx, s, b)
	if errors.Is(err, catalog.ErrNotFound) {
		return nil // a part that is still to come has it
	}
	if err != nil {
		return err
	}
	s.stood = true
	for _, id := range s.orphans {
		if id == root.Ino {
			continue
		}
		e := r.standIn(s, id)
		e.Dir, e.Name = root.Ino, "bus3-lost-"+id.String()
		b.Opened = append(b.Opened, e)
		r.standing[id] = e.ID
	}
	return nil
}

// retire ends stand-ins for directories that a later scan tells by their names.
func (r *replay) retire(b *catalog.Batch) {
	for i := range b.Opened {
		e := &b.Opened[i]
		if id, stands := r.standing[e.Ino]; stands && e.Kind == catalog.Directory && e.Flags&catalog.Lost == 0 {
			b.Closed = append(b.Closed, catalog.Closed{ID: id, Last: b.Scan - 1})
			delete(r.standing, e.Ino)
		}
	}
}

// rootFor is the root of the scan's tree: in b, in the catalog, or a new one in b where all parts that had one are lost.
func (r *replay) rootFor(ctx context.Context, s *survey, b *catalog.Batch) (catalog.Entry, error) {
	for i := range b.Opened {
		if b.Opened[i].IsRoot() {
			return b.Opened[i], nil
		}
	}
	root, err := r.cat.CurrentRoot(ctx, s.owner.ID)
	if errors.Is(err, catalog.ErrNotFound) && !s.hasRoot {
		if s.rootIno == 0 {
			s.rootIno = s.orphans[0] // a run meets the root first
		}
		root, err = r.standIn(s, s.rootIno), nil
		b.Opened = append(b.Opened, root)
	}
	return root, err
}

func (r *replay) standIn(s *survey, identity catalog.ID) catalog.Entry {
	return catalog.Entry{
		ID: catalog.NewID(r.now.number, catalog.MaxCounter-1-identity.Counter()%(catalog.MaxCounter/2)), Source: s.owner.ID, Last: catalog.Open,
		Ino: identity, Kind: catalog.Directory, Flags: catalog.Lost, Mode: 0o700, Mtime: s.started, Ctime: s.started, Nlink: 2,
	}
}

// reason is a cause in the words of a sentence that begins with the object's key.
func reason(err error) string {
	var damage *repository.DamageError
	switch {
	case errors.Is(err, s3store.ErrNotExist):
		return "is missing"
	case errors.As(err, &damage):
		return "is damaged: " + damage.Reason
	}
	return fmt.Sprintf("cannot be used: %v", err)
}
