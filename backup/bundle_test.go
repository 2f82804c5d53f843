package backup

import (
	"testing"

	"github.com/bus3/bus3/backup/source"
	"github.com/bus3/bus3/catalog"
)

// A name that is changed while the tree is walked can be met twice: then the file has more names than links.
func TestLinkThatIsMetOnceMoreFollows(t *testing.T) {
	t.Parallel()
	table := linkTable{links: make(map[catalog.Inode]*link)}
	meet := func(inode uint64) *job {
		j := &job{stat: &source.Stat{Kind: catalog.File, Nlink: 2, Dev: 1, Ino: inode}}
		table.join(j)
		return j
	}
	first, second, third := meet(1), meet(1), meet(1)
	if !first.leads || second.leads || third.leads || second.link != first.link || third.link != first.link {
		t.Errorf("%+v, %+v, %+v", first, second, third)
	}
	for inode := range uint64(3 * wholeLinks) {
		meet(10 + inode)
		meet(10 + inode)
	}
	if len(table.links) > wholeLinks {
		t.Errorf("%d files are remembered of which all names have come", len(table.links))
	}
	if again := meet(1); !again.leads {
		t.Error("the first is still among them")
	}
}

// The listing of the first name is older than the link, but the other name came first.
func TestNameThatWasListedAloneFollowsTheOther(t *testing.T) {
	t.Parallel()
	table := linkTable{links: make(map[catalog.Inode]*link)}
	meet := func(inode uint64, names uint32) *job {
		j := &job{stat: &source.Stat{Kind: catalog.File, Nlink: names, Dev: 1, Ino: inode}}
		table.join(j)
		return j
	}
	alone, second, first, other := meet(1, 1), meet(1, 2), meet(1, 1), meet(2, 1)
	if alone.link != nil || !second.leads || first.leads || first.link != second.link || other.link != nil {
		t.Errorf("%+v, %+v, %+v, %+v", alone, second, first, other)
	}
}
