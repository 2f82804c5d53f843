package versity_test

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/bus3/bus3/test/versity"
)

func TestServerKeepsItsDataAndItsPortWhenItIsKilledAndRestarted(t *testing.T) {
	s := versity.New(t)
	bucket, endpoint := s.Bucket(t), s.Endpoint()
	s.Kill()
	if answer, err := http.Get(endpoint); err == nil {
		_ = answer.Body.Close()
		t.Error("the killed server answers")
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s.Endpoint() != endpoint {
		t.Errorf("after the restart it is at %s, before at %s", s.Endpoint(), endpoint)
	}
	if _, err := os.Stat(filepath.Join(s.Data(), bucket)); err != nil {
		t.Error(err)
	}
	if err := s.MakeBucket(t.Context(), "another"); err != nil {
		t.Error(err)
	}
}

func TestUsersAreMade(t *testing.T) {
	s := versity.New(t)
	if a, b := s.Reader(t, s.Bucket(t)), s.Stranger(t); a == b {
		t.Error("two users have the same credentials")
	}
}

func TestProgramIsBuiltOnce(t *testing.T) {
	first, err := versity.Program(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := versity.Program(t.Context()); err != nil {
		t.Fatal(err)
	}
	after, err := os.Stat(first)
	if err != nil {
		t.Fatal(err)
	}
	if !os.SameFile(before, after) || before.ModTime() != after.ModTime() {
		t.Error("it was built again")
	}
}
