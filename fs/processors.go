package fs

import (
	"os"
	"runtime"
)

// servingProcessors is how many goroutines a server must be able to run at once. A reader that sleeps in the kernel, waiting
// for the next request, keeps one of Go's processors (GOMAXPROCS). Where all are kept that way, the runtime takes one
// away after 20 µs and wakes a thread for it that finds nothing to do; with two cores that costs a tenth of `ls -lR`.
const servingProcessors = 8

// Processors gives the process enough of Go's processors to serve mounts, unless the user has set GOMAXPROCS.
func Processors() {
	if os.Getenv("GOMAXPROCS") == "" && runtime.GOMAXPROCS(0) < servingProcessors {
		runtime.GOMAXPROCS(servingProcessors)
	}
}
