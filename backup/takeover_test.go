package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/bus3/bus3/catalog"
)

// unlocked is a catalog whose locks hold nobody off, as those of a database session that has died without the run knowing.
type unlocked struct{ Catalog }

// LockSource is as in Catalog, and always succeeds.
func (unlocked) LockSource(context.Context, string, string) (catalog.Lock, error) {
	return noLock{}, nil
}

type noLock struct{}

// Check is as in catalog.Lock.
func (noLock) Check(context.Context) error { return nil }

// Release is as in catalog.Lock.
func (noLock) Release() error { return nil }

// TestARunThatHasLostItsDirectoryStops lets a second run take over while the first is about to write a part.
func TestARunThatHasLostItsDirectoryStops(t *testing.T) {
	w := newQuickWorld(t)
	w.grow()
	second := make(chan error, 1)
	var once atomic.Bool
	w.store.refuse = func(key string, _ int) error {
		if !strings.HasSuffix(key, "/00000001") || !once.CompareAndSwap(false, true) {
			return nil
		}
		_, err := Run(t.Context(), unlocked{w.cat}, w.store, w.repo, w.options())
		second <- err
		return nil
	}
	_, err := Run(t.Context(), unlocked{w.cat}, w.store, w.repo, w.options())
	must(t, <-second)
	if !errors.Is(err, catalog.ErrLocked) {
		t.Errorf("the first run ended with %v", err)
	}
	var states []string
	must(t, w.cat.Scans(t.Context(), func(s *catalog.Scan) error {
		states = append(states, fmt.Sprint(s.Number, " ", s.State, " ", s.Parts))
		return nil
	}))
	if got := strings.Join(states, ", "); !strings.HasPrefix(got, "0 incomplete 2, 1 complete ") {
		t.Errorf("scans: %s", got)
	}
	w.recovers(onDisk(t, w.root))
}
