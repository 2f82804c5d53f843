package rebuild

import (
	"context"
	"errors"
	"fmt"

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

// goesOn tells whether what was met is to be recovered around. In a catalog that was whole a wrong verdict would be there
// for good, and for everybody who uses it. So there it takes a proof: the object is gone, or does not authenticate.
func (r *replay) goesOn(cause error) bool { return r.o.Recover && !(r.whole && isMisfit(cause)) }

// note records a loss and marks the source, or fails where losses are not to be recovered around.
func (r *replay) note(loss Loss, cause error) error {
	if !r.goesOn(cause) {
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
	if applied, err := r.overtaken(ctx, part); applied || err != nil {
		return err
	}
	loss := r.loss(part, why)
	if r.now.ended || part < r.now.parts {
		return r.note(loss, cause)
	}
	if !r.goesOn(cause) {
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
	if err := r.note(loss, cause); err != nil {
		return err
	}
	return r.apply(ctx, b)
}

// overtaken tells whether somebody else has applied a part in the meantime, as the run does that wrote it: then the catalog
// has what it told, and nothing is lost.
func (r *replay) overtaken(ctx context.Context, part int64) (bool, error) {
	known, err := r.cat.Scan(ctx, r.now.number)
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return false, err
	}
	if err != nil || known.Parts <= part || known.Parts <= r.now.parts {
		return false, nil
	}
	r.now.parts, r.now.digest, r.now.source, r.now.ended = known.Parts, known.Digest, known.Source, known.State.Finished()
	return true, nil
}

// standInPart is the batch that takes the place of a lost part: a beginning that is guessed, or the packs that no
// other part tells of, directories for names that would hang in the air, and the problem itself.
func (r *replay) standInPart(ctx context.Context, s *survey, loss *Loss) (b *catalog.Batch, err error) {
	b = &catalog.Batch{Scan: loss.Scan, Part: loss.Part}
	if loss.Part == 0 {
		b.Begin, err = r.guessBegin(ctx, s)
		return b, err
	}
	b.Problems = []catalog.Problem{catalog.LossProblem(r.now.source.Root, loss.Key, loss.Reason)}
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
	b := &catalog.Begin{Source: s.owner, Program: catalog.ProgramLost, After: -1}
	err := r.cat.Scans(ctx, func(known *catalog.Scan) error {
		if known.Source.ID == s.owner.ID && known.Number < r.now.number {
			b.After, b.AfterParts, b.AfterDigest, b.Started = known.Number, known.Parts, known.Digest, known.Started
		}
		return nil
	})
	return b, err
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
