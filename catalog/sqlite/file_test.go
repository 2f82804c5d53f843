package sqlite_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/catalogtest"
	"github.com/bus3/bus3/catalog/sqlite"
	driver "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

func TestReadingMakesNothing(t *testing.T) {
	dir := t.TempDir()
	_, err := sqlite.Open(context.Background(), filepath.Join(dir, "catalog.db"), sqlite.Options{ReadOnly: true})
	if !errors.Is(err, catalog.ErrNoCatalog) {
		t.Fatalf("got %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Fatalf("it made %v, %v", left, err)
	}
}

func TestFilesOfOthersAreLeftAlone(t *testing.T) {
	ctx := context.Background()
	path := filepath.Join(t.TempDir(), "theirs.db")
	change(t, path, `CREATE TABLE precious (id INTEGER); PRAGMA application_id = 7; PRAGMA user_version = 1`)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(ctx, path, sqlite.Options{}); err == nil {
		t.Fatal("another program's database was opened")
	}
	if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
		t.Fatalf("it was changed, %v", err)
	}
	if err := os.WriteFile(path, []byte("This is no database, but long enough for one to look."), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := sqlite.Open(ctx, path, sqlite.Options{}); err == nil {
		t.Fatal("a text was opened")
	}
}

func TestANewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	openFile(t, path)
	change(t, path, `PRAGMA user_version = 99`)
	if _, err := sqlite.Open(context.Background(), path, sqlite.Options{}); !errors.Is(err, catalog.ErrNewer) {
		t.Fatalf("got %v", err)
	}
}

func TestDamagedRowsAreToldNotUsed(t *testing.T) {
	ctx := context.Background()
	for _, damage := range []string{
		`UPDATE entry SET name = CAST('a/b' AS BLOB) WHERE kind = 1`,
		`UPDATE entry SET name = CAST('..' AS BLOB) WHERE kind = 1`,
		`UPDATE entry SET name = 'text' WHERE kind = 1`,
		`UPDATE entry SET kind = 257 WHERE kind = 1`,
		`UPDATE entry SET mode = -1 WHERE kind = 1`,
		`UPDATE entry SET size = -1 WHERE kind = 1`,
		`UPDATE entry SET size = 'large' WHERE kind = 1`,
	} {
		path := filepath.Join(t.TempDir(), "catalog.db")
		c := openFile(t, path)
		s := catalogtest.Begin(t, c, "host", "/")
		root := s.Root()
		s.Open(catalog.Entry{Dir: root.Ino, Name: "f", Chunk: s.Chunks("text")[0]})
		s.Finish()
		change(t, path, damage)
		if err := c.List(ctx, 0, root.Ino, func(*catalog.Entry) error { return nil }); !errors.Is(err, catalog.ErrInvalid) {
			t.Errorf("%s: %v", damage, err)
		}
	}
	for _, damage := range []string{
		`UPDATE chunk SET length = 5`, `UPDATE chunk SET start = 1`, `UPDATE chunk SET start = -1`, `UPDATE chunk SET hash = x'00'`, `UPDATE chunk SET length = 1 << 33`,
		`UPDATE segment SET start = 1 << 40`, `UPDATE segment SET stored = 0`, `UPDATE segment SET length = 1 << 31`, `UPDATE pack SET size = 10`, `UPDATE pack SET "key" = x'00'`,
	} {
		path := filepath.Join(t.TempDir(), "catalog.db")
		c := openFile(t, path)
		s := catalogtest.Begin(t, c, "host", "/")
		ids := s.Chunks("text")
		s.Finish()
		change(t, path, damage)
		if err := c.ChunkPlaces(ctx, ids, func(*catalog.Place) error { return nil }); !errors.Is(err, catalog.ErrInvalid) {
			t.Errorf("%s: %v", damage, err)
		}
	}
}

// A process that is killed between batches, and one that is killed while it writes one.
func TestWhatWasAcknowledgedSurvivesAKill(t *testing.T) {
	if path := os.Getenv("BUS3_TEST_WRITE_UNTIL_KILLED"); path != "" {
		s := catalogtest.Begin(t, openFile(t, path), "host", "/")
		root := s.Root()
		for n := 0; ; n++ {
			s.Open(catalog.Entry{Dir: root.Ino, Name: fmt.Sprintf("%09d", n)})
			s.Apply()
			fmt.Println("applied", n, root.Ino.Counter())
		}
	}
	path := filepath.Join(t.TempDir(), "catalog.db")
	child := exec.Command(os.Args[0], "-test.run=^TestWhatWasAcknowledgedSurvivesAKill$")
	child.Env = append(os.Environ(), "BUS3_TEST_WRITE_UNTIL_KILLED="+path)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	applied, root := int64(-1), int64(0)
	for lines.Scan() {
		if _, err := fmt.Sscanf(lines.Text(), "applied %d %d", &applied, &root); err == nil && applied == 30 {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	_ = child.Wait() // killed
	if applied < 30 {
		t.Fatalf("the child applied %d batches", applied+1)
	}
	c := openFile(t, path)
	names := catalogtest.Names(t, c, 0, catalog.NewID(0, root))
	scan, err := c.Scan(context.Background(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if n := int64(len(names)); n < applied+1 || scan.Parts != n+1 {
		t.Fatalf("%d batches were acknowledged, %d are there, %d parts", applied+1, n, scan.Parts)
	}
}

func openFile(t testing.TB, path string) *sqlite.Catalog {
	t.Helper()
	c, err := sqlite.Open(context.Background(), path, sqlite.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// change does to a file what no engine would.
func change(t testing.TB, path, sql string) {
	t.Helper()
	conn, err := driver.OpenConn(path, driver.OpenReadWrite|driver.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := sqlitex.ExecScript(conn, sql); err != nil {
		t.Fatal(err)
	}
}
