package test

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// stop ends some of them as a crash would.
func (s *servers) stop(pg, s3 bool) (err error) {
	if pg {
		err = s.pg.Crash()
	}
	if s3 {
		s.s3.Kill()
	}
	return err
}

// start starts them again.
func (s *servers) start(pg, s3 bool) error {
	if s3 {
		if err := s.s3.Restart(context.Background()); err != nil {
			return err
		}
	}
	if pg {
		return s.pg.Resume()
	}
	return nil
}

// TestServersThatRestartCostABackupNothing restarts servers while a backup is at a certain point.
func TestServersThatRestartCostABackupNothing(t *testing.T) {
	t.Parallel()
	s := private(t)
	for _, c := range []struct {
		point  string
		pg, s3 bool
	}{
		{"backup.locked", true, false},
		{"backup.begun", true, false},
		{"apply.inserted", true, false},
		{"backup.batch.before-journal", true, false},
		{"backup.end.packs-stored", true, false},
		{"s3.sending", false, true},
		{"backup.batch.before-journal", false, true},
		{"backup.after-pack", true, true},
		{"backup.end.before-apply", true, true},
	} {
		name := c.point
		if c.pg {
			name += "/postgres"
		}
		if c.s3 {
			name += "/s3"
		}
		t.Run(name, func(t *testing.T) {
			r := s.rig(t)
			grow(t, r.path("source"))
			h := r.halts(c.point, "backup", r.path("source"))
			stopped := time.Now()
			if err := errors.Join(s.stop(c.pg, c.s3), s.start(c.pg, c.s3)); err != nil {
				t.Fatal(err)
			}
			patient := time.Since(stopped) < 20*time.Second // it waits for a minute, not for ever
			if _, stderr, code := h.goesOn(); code != 0 && patient {
				t.Errorf("the backup ended with code %d and:\n%s", code, stderr)
			}
			if next := r.finds(); next.New+next.Changed+next.Removed != 0 || next.DataAdded != 0 {
				t.Errorf("the next backup found something to do: %+v", next)
			}
		})
	}
}

// TestServersThatAreAwayForAWhile are not there while the backup goes on, and come back at some time.
func TestServersThatAreAwayForAWhile(t *testing.T) {
	t.Parallel()
	s := private(t)
	for _, point := range []string{"backup.begun", "backup.after-pack", "backup.batch.after-journal"} {
		t.Run(point, func(t *testing.T) {
			r := s.rig(t)
			grow(t, r.path("source"))
			h := r.halts(point, "backup", r.path("source"))
			if err := s.stop(true, true); err != nil {
				t.Fatal(err)
			}
			back := make(chan error, 1)
			go func() { back <- s.start(true, true) }()
			_, stderr, code := h.goesOn()
			if err := <-back; err != nil {
				t.Fatal(err)
			}
			if code != 0 && (code != 1 || !strings.HasPrefix(stderr, "bus3: ")) {
				t.Errorf("the backup ended with code %d and:\n%s", code, stderr)
			}
			r.finds()
		})
	}
}

// finds backs "source" up after something happened to a backup of it: nothing is lost, and nothing there twice.
func (r *rig) finds() summary {
	t := r.t
	t.Helper()
	r.sessionsEnd()
	next := r.at("").backup(r.path("source"))
	now := r.catalog()
	agree(t, "a rebuild", now, r.open(filepath.Join(r.home, ".config", "bus3", "key.txt")).rebuilt(t))
	if len(now.Scans) != int(next.Scan)+1 {
		t.Errorf("%d scans, and the newest is %d", len(now.Scans), next.Scan)
	}
	r.checks(now, stored(t, r.objects))
	r.bus3("restore", "all", r.path("restored"))
	same(t, "what was restored", r.path("source"), r.path("restored"), restored())
	return next
}
