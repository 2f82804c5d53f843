package fs

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/bus3/bus3/catalog"
)

// nobody is a user without privileges that owns nothing.
const nobody = 65534

func TestOtherUsersAreHeldToPermissionsAndACLs(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can let others in without a word in /etc/fuse.conf, and be others
	}
	// user::rw-, user:nobody:r--, group::---, mask::r--, other::---
	acl := []byte{2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 0xfe, 0xff, 0, 0, 4, 0, 0, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255}
	w := newWorld()
	top := w.scan(0, "host", "/home")
	file := func(name string, mode uint32, xattrs catalog.ID) {
		w.add(0, top, catalog.Entry{Name: name, Mode: mode, Size: 4, Chunk: w.chunk(0, []byte("data")), Xattrs: xattrs})
	}
	file("open", 0o644, 0)
	file("closed", 0o600, 0)
	file("by-acl", 0o640, w.xattrs(0, catalog.Xattr{Name: "system.posix_acl_access", Value: acl}))
	file("by-mode", 0o640, 0)
	m := w.mount(t, Options{AllowOther: true})
	dir, err := os.Open(m.path("0")) // others may not be able to walk there
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	for name, want := range map[string]bool{"open": true, "closed": false, "by-acl": true, "by-mode": false} {
		cat := exec.Command("cat", "/proc/self/fd/3/"+name)
		cat.ExtraFiles = []*os.File{dir}
		cat.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
		out, err := cat.CombinedOutput()
		if got := err == nil && string(out) == "data"; got != want {
			t.Errorf("%s: read by another user: %v, want %v (%v: %s)", name, got, want, err, out)
		}
	}
}
