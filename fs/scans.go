package fs

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/bus3/bus3/catalog"
)

// scans keeps the list of finished scans fresh: it is read again when somebody looks at the top of the mount, but not
// more often than every interval.
type scans struct {
	cat      Catalog
	log      *slog.Logger
	interval time.Duration
	sync     func(context.Context) error // brings the catalog up to date; may be nil
	location *time.Location
	dropped  func(gone func(scan int64) bool) // called when scans were removed

	current atomic.Pointer[view]

	mu      sync.Mutex // held while the list is read
	ids     map[string]uint64
	read    time.Time // guarded by mu, as is failing
	failing bool

	syncing  atomic.Bool
	synced   atomic.Int64 // when the last sync ended, ns since 1970
	stop     context.Context
	stopSync context.CancelFunc
	tasks    sync.WaitGroup
}

// scanInfo is what a view knows about a finished scan.
type scanInfo struct {
	catalog.Scan
	listed int64                   // how many times the list had been read when it was in it for the first time, that time included
	top    atomic.Pointer[listing] // its top directory, once somebody looked at it
}

// syncEvery is the least time between two runs of Options.Refresh, which may cost requests to the store.
const syncEvery = 5 * time.Second

// first reads the list for the first time.
func (s *scans) first(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reload(ctx)
}

// view is the list as it is now, or as it was a moment ago if reading it takes long or fails.
func (s *scans) view(ctx context.Context) *view {
	s.startSync()
	if s.mu.TryLock() {
		if time.Since(s.read) >= s.interval {
			err := s.reload(ctx)
			if err != nil && ctx.Err() == nil && !s.failing {
				s.log.Warn("cannot read the list of scans; showing the last one", "error", err)
			}
			s.failing = err != nil && ctx.Err() == nil
		}
		s.mu.Unlock()
	}
	return s.current.Load()
}

// check tells whether a scan is there: catalog.ErrNotFound if it is not, or is no more.
func (s *scans) check(ctx context.Context, scan int64) error {
	if _, ok := s.current.Load().scans[scan]; ok {
		return nil
	}
	if _, ok := s.view(ctx).scans[scan]; ok {
		return nil
	}
	return catalog.ErrNotFound
}

// startSync starts bringing the catalog up to date in the background, unless that goes on or ended just now.
func (s *scans) startSync() {
	if s.sync == nil || time.Since(time.Unix(0, s.synced.Load())) < syncEvery || !s.syncing.CompareAndSwap(false, true) {
		return
	}
	s.tasks.Go(func() {
		defer s.syncing.Store(false)
		if err := s.sync(s.stop); err != nil && s.stop.Err() == nil {
			s.log.Warn("cannot bring the catalog up to date", "error", err)
		}
		s.synced.Store(time.Now().UnixNano())
		s.mu.Lock()
		s.read = time.Time{}
		s.mu.Unlock()
	})
}

// close ends what goes on in the background.
func (s *scans) close() {
	s.stopSync()
	s.tasks.Wait()
}

// reload reads the list; s.mu is held.
func (s *scans) reload(ctx context.Context) error {
	list := map[int64]*scanInfo{}
	old := s.current.Load()
	changed := old == nil
	read := int64(1)
	if old != nil {
		read = old.read + 1
	}
	err := s.cat.Scans(ctx, func(c *catalog.Scan) error {
		if !c.State.Finished() {
			return nil
		}
		if old != nil {
			if o := old.scans[c.Number]; o != nil && o.same(c) {
				list[c.Number] = o
				return nil
			}
		}
		changed = true
		list[c.Number] = &scanInfo{Scan: *c, listed: read}
		return nil
	})
	if err != nil {
		return err
	}
	s.read = time.Now()
	if old != nil && len(list) < len(old.scans) {
		changed = true
	}
	if !changed {
		return nil
	}
	v := s.newView(list, old != nil)
	v.read = read
	s.current.Store(v)
	if old != nil && lost(old, list) {
		s.dropped(func(scan int64) bool { return list[scan] == nil })
	}
	return nil
}

// same tells whether c is still the scan that i describes.
func (i *scanInfo) same(c *catalog.Scan) bool {
	return i.Finished == c.Finished && i.State == c.State && i.Started == c.Started && i.Digest == c.Digest
}

func lost(old *view, list map[int64]*scanInfo) bool {
	for n := range old.scans {
		if list[n] == nil {
			return true
		}
	}
	return false
}
