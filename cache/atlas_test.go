package cache

import (
	"context"
	"testing"

	"github.com/bus3/bus3/catalog"
)

// overtaken is a catalog that lets something else happen while its first answer is on its way.
type overtaken struct {
	*world
	meanwhile func()
}

func (c *overtaken) PlacesFrom(ctx context.Context, from catalog.ID, limit int, fn func(*catalog.Place) error) error {
	if now := c.meanwhile; now != nil {
		c.meanwhile = nil
		now()
	}
	return c.world.PlacesFrom(ctx, from, limit, fn)
}

func TestWindowsThatOvertakeEachOtherStayApart(t *testing.T) {
	w := manySmall(t, 2000)
	first := int64(w.places[0].Chunk)
	first -= first % idAlign
	pos := first + 3*idAlign + 100 // a window that begins up to three alignments before has it, too
	for before := range int64(4) {
		c := &overtaken{world: w}
		a := newAtlas(c)
		c.meanwhile = func() {
			if before == 0 { // what is read ahead does not wait for a reader of the same stretch
				if _, err := a.following(t.Context(), &window{line: byID, to: pos - 50}); err != nil {
					t.Error(err)
				}
			} else if _, err := a.window(t.Context(), byID, pos-before*idAlign); err != nil {
				t.Error(err)
			}
		}
		found, err := a.window(t.Context(), byID, pos)
		if err != nil {
			t.Fatal(err)
		}
		if pos < found.from || pos >= found.to {
			t.Errorf("the window from %d to %d is said to have %d", found.from, found.to, pos)
		}
		end := int64(0)
		for _, o := range a.windows[byID] {
			if o.from < end || o.to <= o.from || cap(o.rows) > len(o.rows)+len(o.rows)/4+8 {
				t.Errorf("a window from %d to %d with %d rows in the memory of %d, behind one that ends at %d", o.from, o.to, len(o.rows), cap(o.rows), end)
			}
			end = o.to
		}
		queries := w.queries.Load()
		for i := pos - 50; i < pos+50; i++ {
			if _, err := a.window(t.Context(), byID, i); err != nil {
				t.Fatal(err)
			}
		}
		if n := w.queries.Load() - queries; n > 2 {
			t.Errorf("%d queries for what is known", n)
		}
	}
}

// manySmall is a world of so many small files.
func manySmall(t *testing.T, count int) *world {
	w := newWorld(t)
	data := noise(count*64, 1)
	for i := range count {
		w.small("small", data[i*64:(i+1)*64])
	}
	w.ready()
	return w
}
