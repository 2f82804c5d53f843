package catalogtest

import (
	"context"
	"fmt"
	"testing"

	"github.com/bus3/bus3/catalog"
)

// testAllOrNothing has a row among many that is there already: nothing of its batch stays, and the same rows without it can be applied.
func testAllOrNothing(t *testing.T, e Engine) {
	ctx := context.Background()
	cat := e.New(t)(t, false)
	s := Begin(t, cat, "host", "/")
	root := s.Root()
	there := s.Open(catalog.Entry{Dir: root.Ino, Name: "there"})
	s.Apply()
	for i := range 450 {
		s.Open(catalog.Entry{Dir: root.Ino, Name: fmt.Sprintf("n%03d", i)})
	}
	sound := s.Take()
	for _, at := range []int{0, 1, 199, 200, 320, 449} {
		bad := *sound
		bad.Opened = append([]catalog.Entry(nil), sound.Opened...)
		bad.Opened[at].ID = there.ID
		wantErr(t, catalog.ErrInvalid, cat.Apply(ctx, &bad))
		if names := Names(t, cat, 0, root.Ino); len(names) != 1 {
			t.Fatalf("row %d was there already, and now there are %d names", at, len(names))
		}
	}
	must(t, cat.Apply(ctx, sound))
	if names := Names(t, cat, 0, root.Ino); len(names) != 451 || names[0] != "n000" || names[449] != "n449" {
		t.Fatalf("%d names: %q", len(names), names)
	}
}
