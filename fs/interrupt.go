package fs

import (
	"context"
	"sync"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// request is the context of one request. It ends when the kernel takes the request back for good.
//
// The kernel sends an interrupt for any signal that reaches the waiting thread, be it SIGCHLD or the timer of a runtime.
// Programs do not expect that reading or looking at a file fails with EINTR, and on local disks it never does. So an
// interrupt counts only if the caller is about to die of a signal. The kernel interrupts a request only once: if another
// signal was the reason, the server has to look, now and then, whether the caller has got a deadly one since.
type request struct {
	cancel <-chan struct{} // closed when the kernel interrupts the request
	pid    uint32          // thread that waits for the answer, 0 if it is not visible here
	heed   func(pid uint32) bool

	mu       sync.Mutex
	done     chan struct{} // closed when the request ends early; exists once somebody waits
	over     chan struct{} // closed when the request is answered, for who watches it
	answered bool
}

// heedAgain is how often an interrupted request looks for a deadly signal: ^C should feel immediate.
const heedAgain = 100 * time.Millisecond

// request is the context of a request of the kernel. Its end method must be called when the answer is known.
func (f *filesystem) request(cancel <-chan struct{}, h *fuse.InHeader) *request {
	return &request{cancel: cancel, pid: h.Pid, heed: f.heed}
}

// end tells that the request needs no watching any more.
func (r *request) end() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.answered = true; r.over != nil {
		close(r.over)
	}
}

// Deadline implements context.Context: a request has none.
func (r *request) Deadline() (time.Time, bool) { return time.Time{}, false }

// Done implements context.Context. Most requests are answered without waiting; only others are watched.
func (r *request) Done() <-chan struct{} {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.done != nil {
		return r.done
	}
	r.done = make(chan struct{})
	if !r.answered {
		r.over = make(chan struct{})
		go r.watch(r.done, r.over)
	}
	return r.done
}

// watch closes done when the caller will not wait any longer, and returns when the request is over.
func (r *request) watch(done chan<- struct{}, over <-chan struct{}) {
	select {
	case <-over:
		return
	case <-r.cancel:
	}
	for !r.heed(r.pid) {
		select {
		case <-over:
			return
		case <-time.After(heedAgain):
		}
	}
	close(done)
}

// Err implements context.Context.
func (r *request) Err() error {
	select {
	case <-r.cancel:
	default:
		return nil
	}
	select {
	case <-r.Done():
		return context.Canceled
	default:
		return nil
	}
}

// Value implements context.Context: a request carries none.
func (r *request) Value(any) any { return nil }
