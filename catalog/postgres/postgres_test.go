package postgres_test

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/bus3/bus3/catalog/catalogtest"
	"github.com/bus3/bus3/catalog/postgres"
	"github.com/bus3/bus3/test/pgtest"
)

// server is the PostgreSQL of all tests but those that restart theirs.
var server *pgtest.Server

func TestMain(m *testing.M) {
	var err error
	if server, err = pgtest.Start(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	code := m.Run()
	if err := server.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

// engine makes a database for each catalog.
func engine() catalogtest.Engine {
	return catalogtest.Engine{New: func(t testing.TB) catalogtest.Open {
		url := server.Database(t)
		return func(t testing.TB, readOnly bool) catalogtest.Catalog { return open(t, url, readOnly) }
	}}
}

func open(t testing.TB, url string, readOnly bool) *postgres.Catalog {
	t.Helper()
	c, err := postgres.Open(context.Background(), url, postgres.Options{ReadOnly: readOnly})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestCatalog(t *testing.T) { catalogtest.Run(t, engine()) }

func BenchmarkCatalog(b *testing.B) { catalogtest.Benchmark(b, engine()) }
