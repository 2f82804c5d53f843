package tree

import (
	"encoding/binary"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

func (m *maker) attributes() {
	m.mkdir("attributes/dir")
	for _, name := range []string{"user", "trusted", "capability", "acl", "both"} {
		m.write("attributes/"+name, []byte(name))
	}
	m.do(os.Symlink("user", m.path("attributes/link")))
	m.do(unix.Mkfifo(m.path("attributes/fifo"), 0o600))
	m.xattr("user", "user.comment", "a comment")
	m.xattr("user", "user.empty", "")
	m.xattr("user", "user.binary \xff\n", "\x00\x01\xff\n")
	m.xattr("user", "user.long", strings.Repeat("0123456789", 200))
	m.xattr("dir", "user.on a directory", "yes")
	m.xattr("trusted", "trusted.secret", "for root")
	m.xattr("link", "trusted.on a symlink", "not followed")
	m.xattr("fifo", "trusted.on a fifo", "not opened")
	m.xattr("capability", "security.capability", capability)
	access := acl(entry{1, 6, none}, entry{2, 4, 33}, entry{4, 4, none}, entry{8, 6, 34}, entry{16, 6, none}, entry{32, 0, none})
	m.xattr("acl", "system.posix_acl_access", access)
	m.xattr("dir", "system.posix_acl_access", access)
	m.xattr("dir", "system.posix_acl_default", acl(entry{1, 7, none}, entry{2, 5, 1000}, entry{4, 5, none}, entry{16, 5, none}, entry{32, 0, none}))
	m.xattr("both", "system.posix_acl_access", access)
	m.xattr("both", "user.too", "with an ACL")
}

func (m *maker) xattr(name, attr, value string) {
	m.may(attr+" of "+name, unix.Lsetxattr(m.path("attributes/"+name), attr, []byte(value), 0))
}

// capability is cap_net_raw=ep in the form of the kernel's xattr, revision 2.
const capability = "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// entry is one line of an ACL; tags are those of linux/posix_acl.h.
type entry struct {
	tag, perm uint16
	id        uint32
}

const none = 0xffffffff

// acl is an ACL in the form of the kernel's xattr.
func acl(entries ...entry) string {
	out := binary.LittleEndian.AppendUint32(nil, 2)
	for _, e := range entries {
		out = binary.LittleEndian.AppendUint16(out, e.tag)
		out = binary.LittleEndian.AppendUint16(out, e.perm)
		out = binary.LittleEndian.AppendUint32(out, e.id)
	}
	return string(out)
}

// deepName is the name of each of deepLevels directories in each other: 6,000 bytes of path, PATH_MAX is 4,096.
const deepLevels = 30

var deepName = strings.Repeat("deep", 50)

// deep goes down step by step: no system call takes the whole path.
func (m *maker) deep() {
	if m.options.Shallow {
		return
	}
	m.mkdir("deep")
	fd, err := unix.Open(m.path("deep"), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	m.do(err)
	for range deepLevels {
		if m.err != nil {
			return
		}
		m.do(unix.Mkdirat(fd, deepName, 0o755))
		next, err := unix.Openat(fd, deepName, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
		m.do(err)
		_ = unix.Close(fd)
		fd = next
	}
	if m.err == nil {
		m.bottom(fd)
		_ = unix.Close(fd)
	}
}

// bottom fills the deepest directory.
func (m *maker) bottom(fd int) {
	out, err := unix.Openat(fd, "at the bottom", unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL|unix.O_CLOEXEC, 0o600)
	m.do(err)
	if err != nil {
		return
	}
	f := os.NewFile(uintptr(out), "at the bottom")
	_, err = f.WriteString("nobody can name this file")
	m.do(err)
	m.may("user.deep", unix.Fsetxattr(out, "user.deep", []byte("down here"), 0))
	m.do(f.Close())
	m.do(unix.Symlinkat("at the bottom", fd, "link"))
	m.do(unix.Linkat(fd, "at the bottom", fd, "hard link", 0))
	m.do(unix.Mkdirat(fd, "empty", 0o700))
	m.do(unix.Mknodat(fd, "fifo", unix.S_IFIFO|0o600, 0))
}

// times come last, since making things in a directory changes its own.
func (m *maker) times() {
	m.mkdir("times")
	for name, at := range map[string]unix.Timespec{
		"before 1970":      {Sec: -1_000_000_000, Nsec: 123_456_789},
		"just before 1970": {Sec: -1, Nsec: 999_999_999},
		"1901":             {Sec: -1 << 31, Nsec: 0},
		"1970":             {Sec: 0, Nsec: 0},
		"one ns":           {Sec: 0, Nsec: 1},
		"2001":             {Sec: 1_000_000_000, Nsec: 987_654_321},
		"2038":             {Sec: 1<<31 - 1, Nsec: 999_999_999},
		"after 2038":       {Sec: 1 << 31, Nsec: 1},
		"2106":             {Sec: 1<<32 + 5, Nsec: 5},
		"2200":             {Sec: 7_258_118_400, Nsec: 42},
	} {
		m.write("times/"+name, []byte(name))
		m.mkdir("times/" + name + " dir")
		m.do(os.Symlink(name, m.path("times/"+name+" link")))
		for _, kind := range []string{"", " dir", " link"} {
			m.stamp("times/"+name+kind, at)
		}
	}
	for i, name := range []string{"a/b/c", "a/b", "a", "empty directory", "links/one", "links/dangling", "specials/fifo", "specials/socket", "specials/null", "sparse/only a hole", "attributes/dir", "names", "times", "."} {
		m.stamp(name, unix.Timespec{Sec: 1_234_567_890 + int64(i), Nsec: 111_111_111 + int64(i)})
	}
}

func (m *maker) stamp(name string, at unix.Timespec) {
	if _, err := os.Lstat(m.path(name)); os.IsNotExist(err) {
		return // left out
	}
	m.do(unix.UtimesNanoAt(unix.AT_FDCWD, m.path(name), []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW))
}
