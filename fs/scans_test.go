package fs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bus3/bus3/catalog"
)

func names(t *testing.T, path string) []string {
	t.Helper()
	list, err := os.ReadDir(path)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, d := range list {
		found = append(found, d.Name())
	}
	return found
}

func TestTopShowsFinishedScansLatestAndHosts(t *testing.T) {
	w := newWorld()
	w.file(0, w.scan(0, "alpha", "/home/me"), "zero", nil)
	w.file(1, w.scan(1, "be/ta", "/"), "one", nil)
	w.file(2, w.scan(2, "alpha", "/home/me"), "two", nil)
	w.scans[2].Started = w.scans[0].Started // the same second
	w.scan(3, "alpha", "/home")
	w.scans[3].State = catalog.Incomplete
	m := w.mount(t, Options{})
	if d := cmp.Diff([]string{"0", "1", "2", "by-host", "latest"}, names(t, m.Mountpoint())); d != "" {
		t.Error(d)
	}
	if target, err := os.Readlink(m.path("latest")); err != nil || target != "2" {
		t.Errorf("latest leads to %q, %v", target, err)
	}
	if d := cmp.Diff([]string{"alpha", "be%2Fta"}, names(t, m.path("by-host"))); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"2021-06-24T15:31:01", "2021-06-24T15:31:01-2"}, names(t, m.path("by-host/alpha/home/me"))); d != "" {
		t.Error(d)
	}
	for link, want := range map[string]string{
		"latest": "two", "by-host/alpha/home/me/2021-06-24T15:31:01": "zero", "by-host/alpha/home/me/2021-06-24T15:31:01-2": "two",
		"by-host/be%2Fta/2021-06-24T16:31:01": "one",
	} {
		if d := cmp.Diff([]string{want}, names(t, m.path(link)+"/")); d != "" {
			t.Errorf("%s: %s", link, d)
		}
	}
	for _, absent := range []string{"3", "00", "+1", "x", "by-host/x"} {
		if _, err := os.Lstat(m.path(absent)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %v, want that it does not exist", absent, err)
		}
	}
}

func TestNewScansAppearAndLatestMoves(t *testing.T) {
	w := newWorld()
	w.scan(0, "host", "/home")
	m := w.mount(t, Options{})
	names(t, m.Mountpoint())
	if target, err := os.Readlink(m.path("latest")); err != nil || target != "0" {
		t.Fatalf("latest leads to %q, %v", target, err)
	}
	w.file(1, w.scan(1, "host", "/home"), "new", nil)
	eventually(t, "the new scan is listed", func() bool {
		return cmp.Equal([]string{"0", "1", "by-host", "latest"}, names(t, m.Mountpoint()))
	})
	eventually(t, "latest leads to the new scan", func() bool {
		target, err := os.Readlink(m.path("latest"))
		return err == nil && target == "1"
	})
	if d := cmp.Diff([]string{"new"}, names(t, m.path("latest")+"/")); d != "" {
		t.Error(d)
	}
	if got := len(names(t, m.path("by-host/host/home"))); got != 2 {
		t.Errorf("by-host shows %d scans, want 2", got)
	}
}

func TestRefreshBringsScansFromElsewhere(t *testing.T) {
	w := newWorld()
	w.scan(0, "host", "/home")
	called := make(chan struct{})
	var once sync.Once
	m := w.mount(t, Options{Refresh: func(context.Context) error {
		once.Do(func() {
			w.scan(1, "host", "/home")
			close(called)
		})
		return nil
	}})
	names(t, m.Mountpoint())
	<-called
	eventually(t, "the scan that the refresh brought is there", func() bool {
		_, err := os.Lstat(m.path("1"))
		return err == nil
	})
}

func TestRemovedScanIsGoneAndGivesNoWrongBytes(t *testing.T) {
	w := newWorld()
	w.file(0, w.scan(0, "host", "/home"), "file", []byte("zero"))
	sub := w.dir(1, w.scan(1, "host", "/home"), "sub")
	w.file(1, sub, "file", []byte("one"))
	w.file(1, sub, "unseen", []byte("two"))
	m := w.mount(t, Options{})
	dir, err := os.Open(m.path("1", "sub"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	lstat(t, m.path("1", "sub", "unseen"))
	w.remove(1)
	eventually(t, "the removed scan is gone", func() bool {
		_, err := os.Lstat(m.path("1"))
		return errors.Is(err, os.ErrNotExist)
	})
	if names, err := dir.Readdirnames(-1); len(names) != 0 || !errors.Is(err, syscall.ESTALE) && !errors.Is(err, syscall.ENOENT) {
		t.Errorf("an open directory of it lists %q, %v", names, err)
	}
	if data, err := os.ReadFile(m.path("1", "sub", "unseen")); err == nil {
		t.Errorf("a file of it reads %q", data)
	}
	if data, err := os.ReadFile(m.path("0", "file")); err != nil || string(data) != "zero" {
		t.Errorf("a file of another scan: %q, %v", data, err)
	}
}

func TestListOfScansIsKeptWhileTheCatalogIsAway(t *testing.T) {
	w := newWorld()
	w.scan(0, "host", "/home")
	m := w.mount(t, Options{})
	w.breakWith(errors.New("the database is away"))
	if d := cmp.Diff([]string{"0", "by-host", "latest"}, names(t, m.Mountpoint())); d != "" {
		t.Error(d)
	}
}

func TestThousandScansAreListedWithoutAQueryEach(t *testing.T) {
	w := newWorld()
	for n := range int64(1000) {
		w.scan(n, "host", "/home")
	}
	m := w.mount(t, Options{})
	if got := len(names(t, m.Mountpoint())); got != 1002 {
		t.Errorf("%d names, want 1002", got)
	}
	if got := len(getdents(t, m.path("by-host/host/home"))); got != 1002 {
		t.Errorf("%d names in by-host, want 1002", got)
	}
	if n := w.count("Root"); n > 10 {
		t.Errorf("%d scans were looked at", n)
	}
	lstat(t, m.path("500"))
}

func TestEmptyRepositoryCanBeMounted(t *testing.T) {
	m := newWorld().mount(t, Options{})
	if d := cmp.Diff([]string{"by-host"}, names(t, m.Mountpoint())); d != "" {
		t.Error(d)
	}
}

func TestQuotedNamesAreNamesAndDiffer(t *testing.T) {
	seen := map[string]string{}
	long := strings.Repeat("h", 300)
	for _, host := range []string{"a", "a/b", "a%2Fb", ".", "..", "%2E", "a\nb", "a\x00b", long, long + "x", "…"} {
		q := quoteName(host)
		if err := catalog.CheckName(q); err != nil {
			t.Errorf("%q becomes %q: %v", host, q, err)
		}
		if other, ok := seen[q]; ok {
			t.Errorf("%q and %q both become %q", host, other, q)
		}
		seen[q] = host
	}
}

func TestSourcesWithOddRootsStayInTheirPlaces(t *testing.T) {
	w := newWorld()
	w.file(0, w.scan(0, "..", "/../x//y"), "file", nil)
	w.file(1, w.scan(1, "h", "/a"), "file", nil)
	w.scan(2, "h", "/a/2021-06-24T16:31:01") // a directory that has the name of the link to scan 1
	m := w.mount(t, Options{})
	found := 0
	err := filepath.WalkDir(m.path("by-host"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.Type()&os.ModeSymlink == 0 {
			return err
		}
		found++
		target, err := filepath.EvalSymlinks(path)
		if err == nil && filepath.Dir(target) != m.Mountpoint() {
			err = fmt.Errorf("%s leads to %s", path, target)
		}
		return err
	})
	if err != nil || found != 3 {
		t.Errorf("%d links, %v", found, err)
	}
}
