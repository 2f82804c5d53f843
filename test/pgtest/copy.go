package pgtest

import (
	"net/url"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Copy makes a new database that is what the one with that URL is now, as a dump restored would be, and returns its
// URL. Nobody may be connected to the other one. It is dropped when the test ends.
func (s *Server) Copy(t testing.TB, of string) string {
	t.Helper()
	from, err := url.Parse(of)
	if err != nil {
		t.Fatal(err)
	}
	name, copied, err := s.create(strings.TrimPrefix(from.Path, "/"))
	if err != nil {
		t.Fatalf("copy a database: %v", err)
	}
	t.Cleanup(func() {
		if err := s.exec("DROP DATABASE " + pgx.Identifier{name}.Sanitize() + " WITH (FORCE)"); err != nil {
			t.Errorf("drop the copy of a database: %v", err)
		}
	})
	return copied
}
