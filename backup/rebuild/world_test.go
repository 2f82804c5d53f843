package rebuild_test

import (
	"testing"

	"github.com/bus3/bus3/catalog/catalogtest"
	"github.com/bus3/bus3/test/world"
)

// testWorld is a repository with what is known of it.
type testWorld struct{ *world.World }

func newWorld(t *testing.T) *testWorld { return &testWorld{world.New(t)} }

func newCatalog(t *testing.T) catalogtest.Catalog { return world.Catalog(t) }

func tell(t *testing.T, cat catalogtest.Catalog) []string { return world.Tell(t, cat) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
