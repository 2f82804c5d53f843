//go:build failpoints

package failpoint

import (
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Enabled tells whether the program was built with fail points.
const Enabled = true

// passed counts how often the chosen point was passed.
var passed atomic.Int64

// Small tells whether packs and batches should be as small as they can be, so that a small tree passes all points.
func Small() bool { return os.Getenv(SmallVariable) != "" }

// Hit kills the process with SIGKILL, or halts it, if the environment chose this point and this passage of it.
func Hit(name string) {
	chosen, what, _ := strings.Cut(os.Getenv(Variable), ":")
	if chosen != name {
		return
	}
	if file, halt := strings.CutPrefix(what, "pause="); halt {
		if passed.Add(1) == 1 {
			pause(file)
		}
		return
	}
	at := int64(1)
	if what != "" {
		n, err := strconv.ParseInt(what, 10, 64)
		if err != nil || n < 1 {
			panic("failpoint: " + Variable + " has an impossible count: " + what)
		}
		at = n
	}
	if passed.Add(1) != at {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	time.Sleep(time.Hour) // the signal may take a moment to arrive; nothing is done behind the point
}

// pause makes the file and returns when it is gone.
func pause(file string) {
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		panic("failpoint: " + err.Error())
	}
	for {
		if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}
