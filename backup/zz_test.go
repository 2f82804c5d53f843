package backup

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/bus3/bus3/catalog/sqlite"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/repository"
)

func TestZZ(t *testing.T) {
	root := os.Getenv("ZZROOT")
	if root == "" {
		t.Skip()
	}
	debug.SetGCPercent(50)
	dir, _ := os.MkdirTemp("/dev/shm", "zz")
	defer os.RemoveAll(dir)
	url := os.Getenv("ZZSTORE")
	if url == "" {
		url = "file://" + filepath.Join(dir, "store")
	}
	inner, err := s3store.Open(t.Context(), url, s3store.Options{})
	must(t, err)
	id, _ := age.GenerateX25519Identity()
	wrap, err := repository.WrapRecipient("test", id.Recipient().String())
	must(t, err)
	store := &spy{Store: inner}
	repo, err := repository.Init(t.Context(), store, repository.Chunking{}, wrap)
	must(t, err)
	cat, err := sqlite.Open(t.Context(), filepath.Join(dir, "catalog.db"), sqlite.Options{})
	must(t, err)
	defer cat.Close()
	must(t, cat.Claim(t.Context(), repo.ID()))
	for i := range 3 {
		store.reset()
		var m0, m1 runtime.MemStats
		runtime.ReadMemStats(&m0)
		var r0, r1 syscall.Rusage
		syscall.Getrusage(0, &r0)
		s, err := Run(t.Context(), cat, store, repo, Options{Root: root, Host: fmt.Sprint("h", i/2), Program: "x"})
		must(t, err)
		syscall.Getrusage(0, &r1)
		runtime.ReadMemStats(&m1)
		cpu := time.Duration(r1.Utime.Nano() + r1.Stime.Nano() - r0.Utime.Nano() - r0.Stime.Nano())
		c := s.Counts
		n := float64(c.Files + c.Dirs)
		hwm := r1.Maxrss
		fmt.Printf("%d: %v cpu %v rss %d MiB files %d dirs %d new %d unchanged %d read %d new %d stored %d objects %d puts %d others %d allocs/file %.1f bytes/file %.0f gcs %d\n", i, s.Duration, cpu, hwm>>10, c.Files, c.Dirs, c.New, c.Unchanged, c.BytesRead>>20, c.BytesNew>>20, c.BytesStored>>20, c.Objects, len(store.puts), store.others, float64(m1.Mallocs-m0.Mallocs)/n, float64(m1.TotalAlloc-m0.TotalAlloc)/n, m1.NumGC-m0.NumGC)
	}
}
