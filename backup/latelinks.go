package backup

import (
	"github.com/bus3/bus3/catalog"
)

// lateLinks is files that had one name when they were listed and more when they were read: somebody made a link in between.
// A name that is listed after that joins them. Its zero value is empty.
type lateLinks struct {
	entries map[catalog.Inode]*catalog.Entry
}

// note remembers the row of a file, if it is such a one.
func (l *lateLinks) note(j *job, res *result, e *catalog.Entry) {
	if e.Kind != catalog.File || e.Nlink < 2 || j.link != nil || e.Flags != 0 {
		return
	}
	if l.entries == nil || len(l.entries) >= rememberedLate {
		l.entries = make(map[catalog.Inode]*catalog.Entry)
	}
	kept := *e
	l.entries[catalog.Inode{Dev: res.stat.Dev, Ino: res.stat.Ino}] = &kept
}

// join gives the row of a name that is new the identity and the data of the file that it is a link to, if there is one that
// was read as it is now.
func (l *lateLinks) join(j *job, res *result, e *catalog.Entry) bool {
	if l.entries == nil || j.ino != 0 || e.Kind != catalog.File || e.Nlink < 2 || e.Flags != 0 {
		return false
	}
	first := l.entries[catalog.Inode{Dev: res.stat.Dev, Ino: res.stat.Ino}]
	if first == nil || first.Size != e.Size || first.Mtime != e.Mtime || first.Ctime != e.Ctime {
		return false
	}
	dir, name := e.Dir, e.Name
	*e = *first
	e.Dir, e.Name = dir, name
	return true
}
