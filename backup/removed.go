package backup

import (
	"context"
	"fmt"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/failpoint"
)

// gone is a directory that was not found where it was: removed, unless it has its place elsewhere.
type gone struct {
	row catalog.ID
	ino catalog.ID
}

// maxClosings is how many rows of removed files wait for the end.
const maxClosings = 400_000

// remove notes a directory that is not where it was. What became of it is known when everything has been seen.
func (r *run) remove(g gone) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.removed = append(r.removed, g)
}

// move notes the job of a directory that was found elsewhere than it was.
func (r *run) move(j job) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.moves = append(r.moves, j)
}

// closeLater notes the row of a file that is not where it was. Its row stays open for a while, so that a run that
// goes on after a crash still finds the file by its inode, wherever it is.
func (r *run) closeLater(id catalog.ID) {
	r.progress.Removed.Add(1)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closings = append(r.closings, id)
}

// manyClosings tells whether too many rows of files wait.
func (r *run) manyClosings() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.closings) > maxClosings
}

// settle writes what was removed and what was moved. Rows in removed directories are closed before those of the
// directories themselves, so that the next run finds them again if this one dies. All rows of directories that were moved or
// removed are written in one batch: no part of the tree is ever cut off.
func (r *run) settle(ctx context.Context, out chan<- []job) error {
	failpoint.Hit("backup.before-removed")
	var tops []gone
	var known claims // a directory can be noticed twice: it was moved, and vanished
	for _, g := range r.removed {
		if !r.claims.taken(g.ino) && known.claim(g.ino) {
			tops = append(tops, g)
		}
	}
	r.removed = nil
	if err := r.closeBelow(ctx, out, tops, &known); err != nil {
		return err
	}
	if err := r.sendClosings(ctx, out); err != nil {
		return err
	}
	failpoint.Hit("backup.before-moves")
	whole := len(r.moves) > 0
	for lo := 0; lo < len(tops); lo += jobSlice {
		rows := make([]catalog.ID, 0, jobSlice)
		for _, g := range tops[lo:min(lo+jobSlice, len(tops))] {
			rows = append(rows, g.row)
		}
		r.progress.Removed.Add(int64(len(rows)))
		if err := sendJobs(ctx, out, []job{{close: rows, whole: whole}}); err != nil {
			return err
		}
	}
	for i := range r.moves {
		r.moves[i].whole = i < len(r.moves)-1
	}
	return sendSlices(ctx, out, r.moves)
}

// closeBelow closes all rows below removed directories, those of the deepest first.
func (r *run) closeBelow(ctx context.Context, out chan<- []job, tops []gone, known *claims) error {
	all := tops[:len(tops):len(tops)]
	var files []catalog.ID
	for at := 0; at < len(all); {
		end := min(at+groupDirs, len(all))
		dirs := make([]catalog.ID, 0, groupDirs)
		for _, g := range all[at:end] {
			dirs = append(dirs, g.ino)
		}
		at = end
		err := r.cat.Current(ctx, dirs, func(e *catalog.Entry) error {
			switch {
			case e.Kind != catalog.Directory:
				files = append(files, e.ID)
			case !r.claims.taken(e.Ino) && known.claim(e.Ino):
				all = append(all, gone{row: e.ID, ino: e.Ino})
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("ask the catalog for what was in %d removed directories: %w", len(dirs), err)
		}
		if err := r.sendClosed(ctx, out, files); err != nil {
			return err
		}
		files = nil
	}
	rows := make([]catalog.ID, 0, len(all)-len(tops))
	for i := len(all) - 1; i >= len(tops); i-- {
		rows = append(rows, all[i].row)
	}
	return r.sendClosed(ctx, out, rows)
}

// sendClosed sends rows to close, and counts them.
func (r *run) sendClosed(ctx context.Context, out chan<- []job, rows []catalog.ID) error {
	r.progress.Removed.Add(int64(len(rows)))
	return sendRows(ctx, out, rows)
}

// sendClosings sends the rows that closeLater kept.
func (r *run) sendClosings(ctx context.Context, out chan<- []job) error {
	r.mu.Lock()
	rows := r.closings
	r.closings = nil
	r.mu.Unlock()
	return sendRows(ctx, out, rows)
}

func sendRows(ctx context.Context, out chan<- []job, rows []catalog.ID) error {
	for len(rows) > 0 {
		n := min(len(rows), 4*jobSlice)
		if err := sendJobs(ctx, out, []job{{close: rows[:n:n]}}); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}
