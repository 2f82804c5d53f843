package backup

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/bus3/bus3/backup/source"
	"github.com/bus3/bus3/catalog"
)

// comparer compares groups of directories, each group with one query.
type comparer struct {
	*run
	out   chan<- []job
	order *sync.Mutex

	tasks    []task
	lists    [][]source.Stat // by task
	owns     []*job          // by task: what is to be written about the directory itself, or nil
	dirs     []catalog.ID    // those of the tasks that the catalog knows
	pending  []difference
	children []task

	at, next int // where the comparison is: the task, and the name in its list
}

// difference is a name that is not as it was.
type difference struct {
	task int
	stat *source.Stat
	old  *catalog.Entry // the row of this name; nil: none
	same bool           // old is the same thing, with other attributes or other data
}

// compare compares c.tasks. What is in them is in c.children afterwards, what is to be written was sent.
func (c *comparer) compare(ctx context.Context) error {
	c.lists, c.owns, c.dirs, c.pending, c.children = c.lists[:0], c.owns[:0], c.dirs[:0], c.pending[:0], nil
	for i := range c.tasks {
		if err := c.list(ctx, &c.tasks[i]); err != nil {
			return err
		}
	}
	c.at, c.next = 0, 0
	if len(c.dirs) > 0 {
		if err := c.cat.Current(ctx, c.dirs, c.row); err != nil {
			return fmt.Errorf("ask the catalog for %d directories: %w", len(c.dirs), err)
		}
	}
	c.advance(len(c.tasks))
	return c.resolve(ctx)
}

// list reads the names of a directory, and makes the job of writing its row if there is one.
func (c *comparer) list(ctx context.Context, t *task) error {
	stats, problems, err := c.tree.List(ctx, t.dir, &t.stat)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, p := range problems {
		c.problem(p.Path, p.Message)
	}
	vanished, unreadable := errors.Is(err, source.ErrVanished), false
	if err != nil && !vanished {
		c.problem(t.dir.Path(), err.Error())
		stats, unreadable, t.wanted = nil, true, selection{}
	}
	var own *job
	if !vanished && (t.write || t.lost != unreadable) {
		own, err = c.own(ctx, t, unreadable)
		vanished = errors.Is(err, source.ErrVanished)
		if err != nil && !vanished {
			return err
		}
	}
	if vanished {
		c.vanished(t)
		stats, own = nil, nil
	} else {
		stats = c.filter(t, stats)
		if t.row != 0 {
			c.dirs = append(c.dirs, t.ino)
		}
	}
	for i := range stats {
		c.progress.seen(stats[i].Kind, stats[i].Size)
	}
	c.lists = append(c.lists, stats)
	c.owns = append(c.owns, own)
	return nil
}

// own is the job of writing a directory's own row. It fails only if the directory has vanished.
func (c *comparer) own(ctx context.Context, t *task, unreadable bool) (*job, error) {
	stat := t.stat
	made := &result{stat: stat}
	if err := c.addAttributes(ctx, t.parent, &stat, made); err != nil {
		return nil, err
	}
	if unreadable {
		made.flags |= catalog.Unreadable
	}
	return &job{dir: t.parent, stat: &stat, in: t.in, ino: t.ino, closes: t.row | t.over, made: made}, nil
}

// filter leaves out what the caller does not want.
func (c *comparer) filter(t *task, stats []source.Stat) []source.Stat {
	if c.o.Skip != nil && len(stats) > 0 {
		path := t.dir.Path()
		if path != "/" {
			path += "/"
		}
		stats = slices.DeleteFunc(stats, func(s source.Stat) bool {
			return c.o.Skip(path+s.Name, s.Kind == catalog.Directory)
		})
	}
	if t.wanted.some {
		stats = slices.DeleteFunc(stats, func(s source.Stat) bool {
			_, ok := t.wanted.of(s.Name)
			return !ok
		})
	}
	return stats
}

// vanished takes a directory for removed that was listed by its parent and is gone now.
func (c *comparer) vanished(t *task) {
	c.claims.release(t.ino)
	if t.row != 0 {
		c.remove(gone{row: t.row, ino: t.ino})
	}
	if t.over != 0 {
		c.closeLater(t.over)
	}
	t.dir = nil
}

// row takes one row of the catalog, in the order of the tasks and, within one, of the names.
func (c *comparer) row(e *catalog.Entry) error {
	for c.at < len(c.tasks) && (c.tasks[c.at].ino != e.Dir || c.tasks[c.at].row == 0 || c.tasks[c.at].dir == nil) {
		c.advance(c.at + 1)
	}
	if c.at == len(c.tasks) {
		return catalog.Invalidf("the catalog told of directory %s, which was not asked for, or not in this order", e.Dir)
	}
	list := c.lists[c.at]
	for c.next < len(list) && list[c.next].Name < e.Name {
		c.differ(difference{task: c.at, stat: &list[c.next]})
		c.next++
	}
	if c.next < len(list) && list[c.next].Name == e.Name {
		c.match(&c.tasks[c.at], e, &list[c.next])
		c.next++
		return nil
	}
	if _, ok := c.tasks[c.at].wanted.of(e.Name); ok {
		c.missing(e)
	}
	return nil
}

// advance takes the rest of the names, up to the task with that number, for new.
func (c *comparer) advance(to int) {
	for ; c.at < to; c.at++ {
		list := c.lists[c.at]
		for ; c.next < len(list); c.next++ {
			c.differ(difference{task: c.at, stat: &list[c.next]})
		}
		c.next = 0
	}
}

func (c *comparer) differ(d difference) { c.pending = append(c.pending, d) }

// missing takes a row whose name is gone.
func (c *comparer) missing(e *catalog.Entry) {
	if e.Kind == catalog.Directory {
		c.remove(gone{row: e.ID, ino: e.Ino})
		return
	}
	c.closeLater(e.ID)
}

// match compares a name with its row.
func (c *comparer) match(t *task, e *catalog.Entry, s *source.Stat) {
	if s.Kind == catalog.Directory && e.Kind == catalog.Directory && s.Ino == e.SourceIno && s.Dev != t.stat.Dev {
		c.devices.learn(s.Dev, e.Dev)
	}
	isSame := e.Kind == s.Kind && (c.o.IgnoreInode || e.SourceIno == s.Ino && e.Dev == c.devices.name(s.Dev))
	if isSame && e.Kind == catalog.Directory {
		isSame = c.claims.claim(e.Ino)
	}
	if isSame && c.unchanged(e, s) {
		c.progress.Unchanged.Add(1)
		c.progress.done(s.Kind, s.Size)
		if s.Kind == catalog.Directory {
			c.children = append(c.children, c.child(t, s, task{ino: e.Ino, row: e.ID, lost: e.Flags&catalog.Unreadable != 0}))
		}
		return
	}
	old := *e
	old.Name, old.Target = s.Name, strings.Clone(e.Target)
	c.differ(difference{task: c.at, stat: s, old: &old, same: isSame})
}

// child is a directory in t as a task. What is not of the directory itself is filled in.
func (c *comparer) child(t *task, s *source.Stat, child task) task {
	child.parent, child.dir, child.stat, child.in = t.dir, t.dir.Child(s.Name), *s, t.ino
	child.wanted, _ = t.wanted.of(s.Name)
	return child
}

// unchanged tells whether there is nothing to write about a name, and nothing to read.
func (c *comparer) unchanged(e *catalog.Entry, s *source.Stat) bool {
	isDir := s.Kind == catalog.Directory
	return e.Flags&^lostNames(isDir) == 0 && e.Mode == s.Mode && e.UID == s.UID && e.GID == s.GID && e.Mtime == s.Mtime &&
		(c.o.IgnoreCtime || e.Ctime == s.Ctime) && (isDir || e.Size == s.Size && e.Nlink == s.Nlink && e.Rdev == s.Rdev) &&
		!(c.o.Force && s.Kind == catalog.File)
}

// lostNames is the flag that a directory may have and still be as it was: whether its names can be read shows when
// they are read.
func lostNames(isDir bool) catalog.Flag {
	if isDir {
		return catalog.Unreadable
	}
	return 0
}
