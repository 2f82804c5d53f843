package restore

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/test/tree"
)

func TestNothingLeavesTheDestination(t *testing.T) {
	for name, alter := range map[string]func(e *catalog.Entry){
		"dot dot":         func(e *catalog.Entry) { e.Name = ".." },
		"with a slash":    func(e *catalog.Entry) { e.Name = "../escaped" },
		"absolute":        func(e *catalog.Entry) { e.Name = "/tmp/escaped" },
		"empty":           func(e *catalog.Entry) { e.Name = "" },
		"with NUL":        func(e *catalog.Entry) { e.Name = "a\x00b" },
		"all one symlink": nil,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			write(t, filepath.Join(w.root, "d", "file"), []byte("evil"))
			write(t, filepath.Join(w.root, "file"), []byte("evil"))
			scan := w.backup()
			outside := w.path("outside")
			must(t, os.Mkdir(outside, 0o755))
			dest := w.path("dest")
			must(t, os.Mkdir(dest, 0o755))
			cat := &altered{Catalog: w.cat, entry: alter}
			if alter == nil { // a directory of the destination is a symlink that leads out
				must(t, os.Symlink(outside, filepath.Join(dest, "d")))
			}
			before := record(t, outside)
			s, _, err := w.restore(cat, Options{Scan: scan, Dest: dest})
			must(t, err)
			if s.Failed == 0 {
				t.Error("nobody was told")
			}
			for _, line := range tree.Diff(before, record(t, outside), tree.Ignore{}) {
				t.Error(line)
			}
			if _, err := os.Lstat(w.path("escaped")); err == nil {
				t.Error("a file escaped")
			}
		})
	}
}

func TestADestinationThatIsAlteredMeanwhileIsNotLeft(t *testing.T) {
	w := newWorld(t)
	for i := range 300 {
		write(t, filepath.Join(w.root, fmt.Sprintf("d%d", i%10), fmt.Sprintf("f%d", i)), noise(300, byte(i)))
	}
	scan := w.backup()
	outside := w.path("outside")
	must(t, os.Mkdir(outside, 0o755))
	before := record(t, outside)
	for round := range 5 {
		dest := w.path(fmt.Sprintf("dest%d", round))
		must(t, os.Mkdir(dest, 0o755))
		stop := make(chan struct{})
		done := make(chan struct{})
		go func() { // puts symlinks in the place of directories
			defer close(done)
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
				}
				d := filepath.Join(dest, fmt.Sprintf("d%d", i%10))
				if os.Rename(d, d+"x") == nil {
					_ = os.Symlink(outside, d)
				}
			}
		}()
		_, _, err := w.restore(w.cat, Options{Scan: scan, Dest: dest})
		close(stop)
		<-done
		must(t, err)
	}
	for _, line := range tree.Diff(before, record(t, outside), tree.Ignore{}) {
		t.Error(line)
	}
}

func TestAWrongCatalogNeverMakesWrongFiles(t *testing.T) {
	for name, cat := range map[string]altered{
		"a piece is missing":       {piece: func(p *catalog.PlacedPiece) { p.Place.Hash[3] ^= 1 }},
		"pieces overlap":           {piece: func(p *catalog.PlacedPiece) { p.Offset /= 2 }},
		"a piece beyond the end":   {piece: func(p *catalog.PlacedPiece) { p.Offset += 1 << 40 }},
		"a negative offset":        {piece: func(p *catalog.PlacedPiece) { p.Offset -= 1 << 40 }},
		"a segment beyond the end": {piece: func(p *catalog.PlacedPiece) { p.Place.Segment.Offset += 1 << 40 }},
		"no chunk":                 {entry: func(e *catalog.Entry) { e.Chunk, e.Content = catalog.NewID(0, 1<<30), 0 }},
		"unreadable":               {entry: func(e *catalog.Entry) { e.Chunk, e.Content, e.Flags = 0, 0, catalog.Unreadable }},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			write(t, filepath.Join(w.root, "file"), noise(5<<20, 1))
			scan := w.backup()
			cat.Catalog = w.cat
			s, p, err := w.restore(&cat, Options{Scan: scan, Dest: w.path("dest")})
			must(t, err)
			if s.Failed != 1 || len(p.lines) != 1 || s.Files != 0 {
				t.Errorf("%+v, %q", s, p.lines)
			}
			if got := names(t, w.path("dest")); !slices.Equal(got, []string{"."}) {
				t.Errorf("there is %q", got)
			}
		})
	}
}

func TestADirectoryInsideItselfIsNotFollowed(t *testing.T) {
	w := newWorld(t)
	write(t, filepath.Join(w.root, "a", "b", "file"), []byte("1"))
	scan := w.backup()
	root, err := w.cat.Root(t.Context(), scan)
	must(t, err)
	cat := &altered{Catalog: w.cat, entry: func(e *catalog.Entry) {
		if e.Name == "b" {
			e.Ino = root.Ino
		}
	}}
	s, p, err := w.restore(cat, Options{Scan: scan, Dest: w.path("dest")})
	must(t, err)
	if s.Failed != 1 || len(p.lines) != 1 {
		t.Errorf("%+v, %q", s, p.lines)
	}
}
