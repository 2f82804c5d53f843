package backup

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestRandomChangesAreInTheirScans changes a tree at random, backs it up after each round, and demands at the end that
// each scan still is what the tree was then.
func TestRandomChangesAreInTheirScans(t *testing.T) {
	for _, seed := range []uint64{1, 2} {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			m := &mutator{world: w, rng: rand.New(rand.NewPCG(seed, 7))}
			var past []tree
			for round := range 20 {
				for range 1 + m.rng.IntN(12) {
					m.change()
				}
				want := onDisk(t, w.root)
				s := w.backup(tiny)
				if diff := int(s.Scan) - round; diff != 0 {
					t.Fatalf("round %d is scan %d", round, s.Scan)
				}
				w.same(s.Scan, want)
				w.wholesome(s.Scan)
				past = append(past, want)
			}
			for scan, want := range past {
				w.same(int64(scan), want)
			}
		})
	}
}

// mutator changes a tree.
type mutator struct {
	*world
	rng *rand.Rand
	n   int
}

// all is the paths below the root, files or directories.
func (m *mutator) all(dirs bool) []string {
	var out []string
	must(m.t, filepath.WalkDir(m.root, func(path string, d os.DirEntry, err error) error {
		if rel, _ := filepath.Rel(m.root, path); rel != "." && d.IsDir() == dirs {
			out = append(out, rel)
		}
		return err
	}))
	sort.Strings(out)
	return out
}

func (m *mutator) pick(dirs bool) (string, bool) {
	all := m.all(dirs)
	if len(all) == 0 {
		return "", false
	}
	return all[m.rng.IntN(len(all))], true
}

// place is a path that may be new, in any directory.
func (m *mutator) place() string {
	m.n++
	dir, _ := m.pick(true)
	if m.rng.IntN(4) == 0 {
		dir = ""
	}
	return filepath.Join(dir, fmt.Sprintf("%c%d", 'a'+m.rng.IntN(26), m.rng.IntN(6)))
}

func (m *mutator) content() string {
	switch m.rng.IntN(8) {
	case 0:
		return ""
	case 1:
		return strings.Repeat(fmt.Sprint(m.rng.IntN(100)), 200_000+m.rng.IntN(900_000))
	default:
		return strings.Repeat(fmt.Sprint(m.rng.IntN(50)), 1+m.rng.IntN(2000))
	}
}

func (m *mutator) change() {
	place := m.place()
	file, hasFile := m.pick(false)
	dir, hasDir := m.pick(true)
	other, _ := m.pick(true)
	// What cannot be done, such as moving a directory into itself, is left undone: errors say so and do not matter.
	switch m.rng.IntN(16) {
	case 0, 1, 2:
		_ = os.WriteFile(m.path(place), []byte(m.content()), 0o600+os.FileMode(m.rng.IntN(64)))
	case 3, 4:
		_ = os.Mkdir(m.path(place), 0o755)
	case 5:
		if hasFile {
			_ = os.Remove(m.path(file))
		}
	case 6:
		if hasDir && m.rng.IntN(2) == 0 {
			_ = os.RemoveAll(m.path(dir))
		}
	case 7:
		if hasFile {
			_ = os.Rename(m.path(file), m.path(place))
		}
	case 8, 9:
		if hasDir {
			_ = os.Rename(m.path(dir), m.path(place))
		}
	case 10:
		if hasDir {
			_ = unix.Renameat2(unix.AT_FDCWD, m.path(dir), unix.AT_FDCWD, m.path(other), unix.RENAME_EXCHANGE)
		}
	case 11:
		if hasFile && hasDir {
			_ = unix.Renameat2(unix.AT_FDCWD, m.path(dir), unix.AT_FDCWD, m.path(file), unix.RENAME_EXCHANGE)
		}
	case 12:
		if hasFile {
			_ = os.Link(m.path(file), m.path(place))
		}
	case 13:
		if hasFile {
			_ = os.WriteFile(m.path(file), []byte(m.content()), 0o600) // also through symlinks, within the tree or dangling
		}
	case 14:
		_ = os.Symlink(fmt.Sprint("nowhere", m.rng.IntN(9)), m.path(place))
	case 15:
		if hasFile {
			_ = unix.Lsetxattr(m.path(file), "user.test", []byte(fmt.Sprint(m.rng.IntN(5))), 0)
			at := time.Unix(int64(m.rng.IntN(1e9)), 0)
			_ = os.Chtimes(m.path(file), at, at)
		}
	}
}
