package test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/bus3/bus3/test/pgtest"
	"github.com/bus3/bus3/test/versity"
)

// servers are a PostgreSQL and an S3 server that a test may stop and start.
type servers struct {
	pg *pgtest.Server
	s3 *versity.Server
}

// stop ends some of them as a crash would; start starts them again.
func (s *servers) stop(t *testing.T, pg, s3 bool) {
	t.Helper()
	if pg {
		if err := s.pg.Crash(); err != nil {
			t.Fatal(err)
		}
	}
	if s3 {
		s.s3.Kill()
	}
}

func (s *servers) start(t *testing.T, pg, s3 bool) {
	t.Helper()
	if s3 {
		if err := s.s3.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if pg {
		if err := s.pg.Resume(); err != nil {
			t.Fatal(err)
		}
	}
}

// TestServersThatRestartCostABackupNothing restarts servers while a backup is at a certain point.
func TestServersThatRestartCostABackupNothing(t *testing.T) {
	t.Parallel()
	s := &servers{pgtest.Private(t), versity.New(t)}
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
			s.stop(t, c.pg, c.s3)
			s.start(t, c.pg, c.s3)
			r.ends(h)
		})
	}
}

// TestServersThatAreAwayForAWhile are not there while the backup goes on, and come back at some time.
func TestServersThatAreAwayForAWhile(t *testing.T) {
	t.Parallel()
	s := &servers{pgtest.Private(t), versity.New(t)}
	for _, point := range []string{"backup.begun", "backup.after-pack", "backup.batch.after-journal"} {
		t.Run(point, func(t *testing.T) {
			r := s.rig(t)
			grow(t, r.path("source"))
			h := r.halts(point, "backup", r.path("source"))
			s.stop(t, true, true)
			back := make(chan struct{})
			go func() { defer close(back); s.start(t, true, true) }()
			r.ends(h)
			<-back
		})
	}
}

func (s *servers) rig(t *testing.T) *rig {
	t.Helper()
	r := bareRig(t)
	bucket := s.s3.Bucket(t)
	r.store, r.objects = s.s3.URL(bucket), filepath.Join(s.s3.Data(), bucket)
	r.env = append(append(r.env, s.s3.Admin.Env()...), "BUS3_STORE="+r.store, "BUS3_CATALOG="+s.pg.Database(t))
	r.bus3("init")
	return r
}

// ends lets a backup of "source" go on, which succeeds or says why it does not; then the next one finishes, and nothing
// is lost, or there twice.
func (r *rig) ends(h *halted) {
	t := r.t
	t.Helper()
	_, stderr, code := h.goesOn()
	if code != 0 && (code != 1 || !strings.HasPrefix(stderr, "bus3: ")) {
		t.Errorf("the backup ended with code %d and:\n%s", code, stderr)
	}
	t.Logf("the backup ended with code %d %s", code, stderr)
	next := r.at("").backup(r.path("source"))
	if code == 0 && (next.New+next.Changed+next.Removed != 0 || next.DataAdded != 0) {
		t.Errorf("the next backup found something to do: %+v", next)
	}
	now := r.catalog()
	agree(t, "a rebuild", now, r.open(filepath.Join(r.home, ".config", "bus3", "key.txt")).rebuilt(t))
	if len(now.Scans) != int(next.Scan)+1 {
		t.Errorf("%d scans, and the newest is %d", len(now.Scans), next.Scan)
	}
	r.checks(now, stored(t, r.objects))
	r.bus3("restore", "all", r.path("restored"))
	same(t, "what was restored", r.path("source"), r.path("restored"), restored())
}
