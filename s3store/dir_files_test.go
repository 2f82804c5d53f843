package s3store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/bus3/bus3/s3store"
)

func keys(t *testing.T, s s3store.Store) (found []string) {
	t.Helper()
	err := s.List(t.Context(), "", "", func(o s3store.Object) error { found = append(found, o.Key); return nil })
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// leftovers makes files as a crash leaves them behind.
func leftovers(t *testing.T, dir string, age time.Duration, names ...string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, ".tmp"), 0o755); err != nil {
		t.Fatal(err)
	}
	then := time.Now().Add(-age)
	for _, name := range names {
		path := filepath.Join(dir, ".tmp", name)
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, then, then); err != nil {
			t.Fatal(err)
		}
	}
}

func exists(t *testing.T, path string) bool {
	t.Helper()
	_, err := os.Lstat(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	return err == nil
}

func TestLeftoversAreNotListedAndGoWhenTheyAreOld(t *testing.T) {
	dir := t.TempDir()
	leftovers(t, dir, 48*time.Hour, "old")
	leftovers(t, dir, 0, "young")
	s := open(t, fileURL(dir), s3store.Options{})
	if found := keys(t, s); len(found) != 0 {
		t.Errorf("List finds %v", found)
	}
	if !exists(t, filepath.Join(dir, ".tmp/old")) {
		t.Error("reading removes files")
	}
	put(t, s, "a", nil)
	if exists(t, filepath.Join(dir, ".tmp/old")) {
		t.Error("the old file is still there")
	}
	if !exists(t, filepath.Join(dir, ".tmp/young")) {
		t.Error("a file that may be in use was removed")
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	dir := t.TempDir()
	s := open(t, fileURL(dir), s3store.Options{})
	put(t, s, "a/b", []byte("x"))
	if err := s.PutNew(t.Context(), "a/b", []byte("y")); !errors.Is(err, s3store.ErrExists) {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.PutNew(ctx, "a/c", []byte("y")); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(dir, ".tmp")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestADirectoryIsMadeByTheFirstPutOnly(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "yet")
	s := open(t, fileURL(dir), s3store.Options{})
	if found := keys(t, s); len(found) != 0 {
		t.Errorf("List finds %v", found)
	}
	if _, err := s.Get(t.Context(), "a", 10); !errors.Is(err, s3store.ErrNotExist) {
		t.Errorf("error is %v, want ErrNotExist", err)
	}
	if exists(t, dir) {
		t.Fatal("reading makes the directory")
	}
	put(t, s, "a", nil)
	if found := keys(t, s); len(found) != 1 {
		t.Errorf("List finds %v", found)
	}
}

func TestTwoStoresInOneDirectorySeeEachOther(t *testing.T) {
	dir := t.TempDir()
	a, b := open(t, fileURL(dir), s3store.Options{}), open(t, fileURL(dir), s3store.Options{})
	if err := a.PutNew(t.Context(), "x/y", []byte("a")); err != nil {
		t.Fatal(err)
	}
	if err := b.PutNew(t.Context(), "x/y", []byte("b")); !errors.Is(err, s3store.ErrExists) {
		t.Errorf("error is %v, want ErrExists", err)
	}
}

func TestLinksOutOfTheDirectoryAreNotFollowed(t *testing.T) {
	dir, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret"), []byte("secret"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, target := range map[string]string{"dir": outside, "file": filepath.Join(outside, "secret")} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, fileURL(dir), s3store.Options{})
	for _, key := range []string{"dir/secret", "file"} {
		if body, err := s.Get(t.Context(), key, 100); err == nil {
			t.Errorf("%s is %q", key, body)
		}
	}
	if err := s.Put(t.Context(), "dir/new", []byte("x")); err == nil || exists(t, filepath.Join(outside, "new")) {
		t.Errorf("a file was written outside: %v", err)
	}
	if found := keys(t, s); len(found) != 0 {
		t.Errorf("List finds %v", found)
	}
}

func TestAPutThatFailsSaysSoAndHarmsNothing(t *testing.T) {
	dir := t.TempDir()
	put(t, open(t, fileURL(dir), s3store.Options{}), "a", []byte("x"))
	if err := os.WriteFile(filepath.Join(dir, "packs"), nil, 0o600); err != nil { // in the way of a directory, for root too
		t.Fatal(err)
	}
	s := open(t, fileURL(dir), s3store.Options{})
	if err := s.Put(t.Context(), "packs/00/a", []byte("x")); err == nil || errors.Is(err, s3store.ErrExists) || errors.Is(err, s3store.ErrNotExist) {
		t.Errorf("error is %v", err)
	}
	if err := s.Put(t.Context(), "b", []byte("x")); err != nil {
		t.Errorf("after an error the store does not work any more: %v", err)
	}
}
