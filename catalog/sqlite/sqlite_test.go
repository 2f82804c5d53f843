package sqlite_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/bus3/bus3/catalog/catalogtest"
	"github.com/bus3/bus3/catalog/sqlite"
)

// engine makes its databases in temporary directories.
func engine() catalogtest.Engine {
	return catalogtest.Engine{New: func(t testing.TB) catalogtest.Open {
		path := filepath.Join(t.TempDir(), "catalog.db")
		return func(t testing.TB, readOnly bool) catalogtest.Catalog {
			c, err := sqlite.Open(context.Background(), path, sqlite.Options{ReadOnly: readOnly})
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
	}}
}

func TestCatalog(t *testing.T) { catalogtest.Run(t, engine()) }

func BenchmarkCatalog(b *testing.B) { catalogtest.Benchmark(b, engine()) }
