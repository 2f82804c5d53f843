package backup

import (
	"fmt"
	"testing"
)

func TestFirstBackupHasTheWholeTree(t *testing.T) {
	t.Parallel()
	w := newQuickWorld(t)
	for d := range 20 {
		for f := range 30 {
			w.write(fmt.Sprintf("d%d/f%d", d, f), fmt.Sprint(d, f))
		}
	}
	w.mkdir("empty")
	want := onDisk(t, w.root)
	w.same(w.backup().Scan, want)
}
