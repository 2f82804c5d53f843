// Package tree makes directory trees with everything in them that a backup can meet, records trees, and tells records apart.
// It is what end-to-end tests hold sources, mounts and restored trees against; so it shares no code with what it judges.
package tree

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Options say how much Make makes.
type Options struct {
	// Huge adds a sparse file of 1 TiB.
	Huge bool
	// Shallow leaves out the paths beyond PATH_MAX, which cp and rsync cannot copy.
	Shallow bool
	// Logf, if any, is told what this machine or this user cannot make, such as devices.
	Logf func(format string, args ...any)
}

// Make fills a directory, which it creates if needed, with one of everything. The content is the same each time.
func Make(dir string, o Options) error {
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	m := &maker{dir: dir, options: o, random: rand.New(rand.NewChaCha8([32]byte{'t', 'r', 'e', 'e'}))}
	for _, step := range []func(){
		m.plain, m.names, m.links, m.specials, m.sparse, m.modes, m.attributes, m.deep, m.times,
	} {
		if step(); m.err != nil {
			return fmt.Errorf("make tree: %w", m.err)
		}
	}
	return nil
}

// maker makes, until something goes wrong for the first time.
type maker struct {
	dir     string
	options Options
	random  *rand.Rand
	err     error
}

func (m *maker) path(name string) string { return filepath.Join(m.dir, name) }

func (m *maker) do(err error) {
	if m.err == nil {
		m.err = err
	}
}

// may is do for what not every machine can and not every user may.
func (m *maker) may(what string, err error) {
	switch {
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL):
		m.options.Logf("%s: left out: %v", what, err)
	default:
		m.do(err)
	}
}

func (m *maker) mkdir(name string) { m.do(os.MkdirAll(m.path(name), 0o755)) }

func (m *maker) file(name string, size int) {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(m.random.Uint32())
	}
	m.write(name, data)
}

func (m *maker) write(name string, data []byte) { m.do(os.WriteFile(m.path(name), data, 0o644)) }

func (m *maker) plain() {
	m.mkdir(".")
	m.mkdir("empty directory")
	m.mkdir("a/b/c/d")
	m.file("empty file", 0)
	m.file("one byte", 1)
	m.file("a/block", 4096)
	m.file("a/b/odd", 12345)
	m.file("a/b/c/edge", 256<<10)
	m.file("a/b/c/over", 256<<10+1)
	m.file("a/b/c/d/several chunks", 5<<20+17)
	m.write("zeros", make([]byte, 1<<20))
	m.write("text", []byte(strings.Repeat("a line that compresses well\n", 3000)))
	m.mkdir("many")
	for i := range 300 {
		m.write(fmt.Sprintf("many/%03d", i), fmt.Appendf(nil, "file %d\n", i))
	}
}

// names are names that programs trip over, all of them valid.
var names = []string{
	"new\nline", "tab\tand\x01control\x7f", " leading and trailing space ", "-rf", "--", "-", "~", "*", "?", "[a]", "{a,b}", `back\slash`, `"double"`, "'single'", "`back`", "$HOME", "$(id)",
	"semi;colon", "a&b|c<d>e", "%s%n", "#hash", "...", "..hidden", ".dot", "caf\xc3\xa9", "cafe\xcc\x81", "latin caf\xe9", "\xff\xfe", "\xc3\x28", "\xed\xa0\x80",
	"\u202eright to left", "\x1b[31mred", "CON", "a:b", "latest", "con\r",
}

func (m *maker) names() {
	m.mkdir("names")
	for _, name := range names {
		m.write("names/"+name, []byte(name))
	}
	m.write("names/"+strings.Repeat("x", 255), []byte("the longest name"))
	m.write("names/"+strings.Repeat("\xe4", 255), []byte("the longest that is not UTF-8"))
	for _, name := range []string{"dir\nwith newline", "dir caf\xe9", "-dir", strings.Repeat("d", 255)} {
		m.mkdir("names/" + name)
		m.write("names/"+name+"/in it", []byte(name))
	}
}

func (m *maker) links() {
	m.mkdir("links/one")
	m.mkdir("links/two")
	m.file("links/one/first", 10_000)
	m.do(os.Link(m.path("links/one/first"), m.path("links/one/second")))
	m.do(os.Link(m.path("links/one/first"), m.path("links/two/third")))
	m.file("links/one/empty", 0)
	m.do(os.Link(m.path("links/one/empty"), m.path("links/two/empty too")))
	m.do(os.Symlink("one/first", m.path("links/relative")))
	m.do(os.Symlink("/nowhere/at all", m.path("links/dangling")))
	m.do(os.Symlink("..", m.path("links/up")))
	m.do(os.Symlink("itself", m.path("links/itself")))
	m.do(os.Symlink("new\nline \xff", m.path("links/strange")))
	m.do(os.Symlink(strings.Repeat("long/", 818)+"12345", m.path("links/longest"))) // 4,095 bytes
	m.may("hard link to a symlink", unix.Linkat(unix.AT_FDCWD, m.path("links/dangling"), unix.AT_FDCWD, m.path("links/two/dangling too"), 0))
}

func (m *maker) specials() {
	m.mkdir("specials")
	m.do(unix.Mkfifo(m.path("specials/fifo"), 0o640))
	m.do(unix.Link(m.path("specials/fifo"), m.path("specials/fifo again")))
	m.do(unix.Mknod(m.path("specials/socket"), unix.S_IFSOCK|0o755, 0))
	m.may("character device", unix.Mknod(m.path("specials/null"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))))
	m.may("block device", unix.Mknod(m.path("specials/block"), unix.S_IFBLK|0o660, int(unix.Mkdev(7, 99))))
	m.may("device with a large number", unix.Mknod(m.path("specials/large"), unix.S_IFCHR|0o600, int(unix.Mkdev(511, 70_000))))
}

func (m *maker) sparse() {
	m.mkdir("sparse")
	hole := func(name string, size int64, at ...int64) {
		f, err := os.Create(m.path("sparse/" + name))
		m.do(err)
		if err != nil {
			return
		}
		defer f.Close() //nolint:errcheck // the writes have told
		m.do(f.Truncate(size))
		for _, off := range at {
			_, err := f.WriteAt([]byte(strings.Repeat("data", 1024)), off)
			m.do(err)
		}
	}
	hole("only a hole", 10<<20)
	hole("hole first", 3<<20+5, 2<<20)
	hole("hole last", 3<<20+5, 0)
	hole("hole inside", 4<<20, 0, 4<<20-4096)
	hole("many holes", 8<<20, 64<<10, 1<<20, 3<<20, 5<<20, 7<<20)
	hole("small holes", 64<<10, 0, 8<<10, 24<<10, 40<<10)
	if m.options.Huge {
		hole("huge", 1<<40, 0, 1<<39, 1<<40-4096)
	}
}

func (m *maker) modes() {
	m.mkdir("modes")
	for _, mode := range []uint32{0, 0o400, 0o200, 0o111, 0o644, 0o666, 0o777, 0o1644, 0o2755, 0o4755, 0o6711, 0o7777} {
		name := fmt.Sprintf("modes/%04o", mode)
		m.write(name, []byte(name))
		m.mkdir(name + " dir")
		if os.Geteuid() != 0 && mode&0o400 == 0 {
			mode |= 0o400 // unreadable for the tests themselves
		}
		m.owner(name, 1234, 5678)
		m.do(unix.Chmod(m.path(name), mode))
		if os.Geteuid() != 0 {
			mode |= 0o700
		}
		m.do(unix.Chmod(m.path(name+" dir"), mode))
	}
	m.write("modes/large ids", nil)
	m.owner("modes/large ids", 4_000_000_000, 3_999_999_999)
	m.do(os.Symlink("target", m.path("modes/owned link")))
	m.owner("modes/owned link", 33, 34)
}

func (m *maker) owner(name string, uid, gid int) {
	m.may("owner of "+name, os.Lchown(m.path(name), uid, gid))
}
