package fs

import (
	"fmt"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

// next adds a finished scan of the source of an earlier one. Nothing has changed, unless its root has another mode.
func (w *world) next(n, first int64, mode uint32) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var s catalog.Scan
	for _, known := range w.scans {
		if known.Number == first {
			s = known
		}
	}
	s.Number, s.Started, s.Finished = n, someTime+n, someTime+n+1
	w.scans = append(w.scans, s)
	if mode == 0 {
		return
	}
	for _, e := range w.in(n, 0) {
		if e.Source == s.Source.ID {
			closed := e
			closed.Last = n - 1
			w.entries[e.ID] = closed
			e.ID, e.Mode = w.id(n), mode
			w.put(e)
		}
	}
}

func TestScansOfASourceShareOneLookAtTheirRoot(t *testing.T) {
	w := newWorld()
	w.scan(0, "host", "/home")
	w.scan(1, "other", "/home")
	for n := range int64(300) {
		w.next(2+n, n%2, 0)
	}
	m := w.mount(t, Options{})
	for n := range 302 {
		if got := lstat(t, m.path(strconv.Itoa(n))).Mode; got != unix.S_IFDIR|0o755 {
			t.Fatalf("scan %d has mode %o", n, got)
		}
	}
	if n := w.count("Root"); n > 4 {
		t.Errorf("%d questions for the roots of two sources", n)
	}
}

func TestRootThatChangesIsShownAsItWas(t *testing.T) {
	w := newWorld()
	w.scan(0, "host", "/home")
	w.next(1, 0, 0)
	w.next(2, 0, 0o700)
	w.next(3, 0, 0)
	m := w.mount(t, Options{})
	modes := func(numbers ...int) (all string) {
		for _, n := range numbers {
			all += fmt.Sprintf("%d: %o ", n, lstat(t, m.path(strconv.Itoa(n))).Mode&0o777)
		}
		return all
	}
	if got, want := modes(3, 0, 2, 1), "3: 700 0: 755 2: 700 1: 755 "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	w.next(4, 0, 0)
	w.next(5, 0, 0o711) // what was known of the root held for all scans to come, then
	eventually(t, "the new scans are listed", func() bool { return len(names(t, m.Mountpoint())) == 8 })
	if got, want := modes(5, 4, 3, 0), "5: 711 4: 700 3: 700 0: 755 "; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
