//go:build failpoints

package failpoint

import (
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

// Hit kills the process with SIGKILL if the environment chose this point, and this passage of it.
func Hit(name string) {
	chosen, count, counted := strings.Cut(os.Getenv(Variable), ":")
	if chosen != name {
		return
	}
	at := int64(1)
	if counted {
		n, err := strconv.ParseInt(count, 10, 64)
		if err != nil || n < 1 {
			panic("failpoint: " + Variable + " has an impossible count: " + count)
		}
		at = n
	}
	if passed.Add(1) != at {
		return
	}
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	time.Sleep(time.Hour) // the signal may take a moment to arrive; nothing is done behind the point
}
