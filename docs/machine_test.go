package docs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// program builds bus3 once, and gives its path.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "bus3-docs-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "bus3")
	if out, err := exec.Command("go", "build", "-ldflags=-s -w", "-o", path, "../cmd/bus3").CombinedOutput(); err != nil {
		return path, errors.New("go build: " + err.Error() + "\n" + string(out))
	}
	return path, nil
})

// TestMain takes the program away again.
func TestMain(m *testing.M) {
	code := m.Run()
	if path, _ := program(); path != "" {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// bus3 is the path of the program.
func bus3(t *testing.T) string {
	t.Helper()
	path, err := program()
	check(t, err)
	return path
}

// machine is a place where bus3 runs, with a repository in a directory.
type machine struct {
	t                        *testing.T
	dir, store, catalog, key string
}

// newMachine makes one; flags are for `bus3 init`.
func newMachine(t *testing.T, flags ...string) *machine {
	t.Helper()
	dir := t.TempDir()
	m := &machine{
		t: t, dir: dir,
		store: filepath.Join(dir, "store"), catalog: filepath.Join(dir, "catalog.db"), key: filepath.Join(dir, "key.txt"),
	}
	m.run(append([]string{"init"}, flags...)...)
	return m
}

func (m *machine) run(args ...string) {
	m.t.Helper()
	cmd := exec.Command(bus3(m.t), args...)
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "BUS3_") && !strings.HasPrefix(v, "XDG_") && !strings.HasPrefix(v, "HOME=") {
			cmd.Env = append(cmd.Env, v)
		}
	}
	cmd.Dir = m.dir
	cmd.Env = append(cmd.Env, "HOME="+m.dir, "BUS3_STORE=file://"+m.store, "BUS3_CATALOG=sqlite://"+m.catalog, "BUS3_KEY_FILE="+m.key)
	if out, err := cmd.CombinedOutput(); err != nil {
		m.t.Fatalf("bus3 %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// forget removes the catalog and makes a new one from the store.
func (m *machine) forget() {
	m.t.Helper()
	files, err := filepath.Glob(m.catalog + "*")
	check(m.t, err)
	for _, f := range files {
		remove(m.t, f)
	}
	m.run("init")
}
