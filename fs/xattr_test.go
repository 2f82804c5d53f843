package fs

import (
	"errors"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

func listXattrs(t *testing.T, path string) []string {
	t.Helper()
	buf := make([]byte, 4096)
	n, err := unix.Llistxattr(path, buf)
	if err != nil {
		t.Fatalf("listxattr %s: %v", path, err)
	}
	names := strings.FieldsFunc(string(buf[:n]), func(r rune) bool { return r == 0 })
	slices.Sort(names)
	return names
}

func TestExtendedAttributesAndACLsComeBackWithoutAQueryPerFile(t *testing.T) {
	w := newWorld()
	top := w.scan(0, "host", "/home")
	acl := []byte{2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 232, 3, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255, 16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 4, 0, 255, 255, 255, 255}
	set := []catalog.Xattr{{Name: "user.empty"}, {Name: "user.comment", Value: []byte("hello\x00world")}, {Name: "system.posix_acl_access", Value: acl}}
	id := w.xattrs(0, set...)
	w.add(0, top, catalog.Entry{Name: "file", Xattrs: id})
	w.add(0, top, catalog.Entry{Name: "dir", Kind: catalog.Directory, Xattrs: id})
	w.add(0, top, catalog.Entry{Name: "plain"})
	m := w.mount(t, Options{})
	if _, err := os.ReadDir(m.path("0")); err != nil {
		t.Fatal(err)
	}
	before := w.count("Values") + w.count("Entry") + w.count("Directory")
	for _, name := range []string{"file", "dir"} {
		path := m.path("0", name)
		if d := cmp.Diff([]string{"system.posix_acl_access", "user.comment", "user.empty"}, listXattrs(t, path)); d != "" {
			t.Errorf("%s: %s", name, d)
		}
		for _, x := range set {
			buf := make([]byte, 100)
			n, err := unix.Lgetxattr(path, x.Name, buf)
			if err != nil || string(buf[:n]) != string(x.Value) {
				t.Errorf("%s of %s is %q, %v", x.Name, name, buf[:max(n, 0)], err)
			}
		}
		if _, err := unix.Lgetxattr(path, "user.comment", make([]byte, 3)); !errors.Is(err, syscall.ERANGE) {
			t.Errorf("a short buffer: %v, want ERANGE", err)
		}
		if n, err := unix.Lgetxattr(path, "user.comment", nil); n != 11 || err != nil {
			t.Errorf("the size of user.comment: %d, %v", n, err)
		}
	}
	if names := listXattrs(t, m.path("0", "plain")); len(names) != 0 {
		t.Errorf("a file without attributes has %q", names)
	}
	if _, err := unix.Lgetxattr(m.path("0", "plain"), "system.posix_acl_access", nil); !errors.Is(err, syscall.ENODATA) {
		t.Errorf("a file without an ACL: %v, want ENODATA", err)
	}
	if after := w.count("Values") + w.count("Entry") + w.count("Directory"); after != before {
		t.Errorf("%d queries were made for extended attributes, beyond those of the listing", after-before)
	}
}

func TestTrustedAttributesAreForRootOnly(t *testing.T) {
	set, err := newXattrSet(catalog.EncodeXattrs([]catalog.Xattr{{Name: "trusted.a"}, {Name: "user.b"}}))
	if err != nil {
		t.Fatal(err)
	}
	if got := string(set.names) + "|" + string(set.visible); got != "trusted.a\x00user.b\x00|user.b\x00" {
		t.Errorf("%q", got)
	}
}
