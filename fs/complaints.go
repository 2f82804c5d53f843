package fs

import (
	"sync"
	"time"
)

// complaints limits how many failed requests are logged: while a store is away, each of the kernel's reads fails, and
// finding the path for a message costs queries.
type complaints struct {
	now func() time.Time

	mu     sync.Mutex // guards the rest
	since  time.Time  // when the present period began
	shown  int        // in it
	hidden int        // since the last one that was shown
}

const (
	complaintPeriod = 10 * time.Second
	complaintsShown = 20 // in a period
)

// allow tells whether one more may be logged, and how many were not since the last one that was.
func (c *complaints) allow() (show bool, hidden int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := c.now(); now.Sub(c.since) >= complaintPeriod {
		c.since, c.shown = now, 0
	}
	if c.shown >= complaintsShown {
		c.hidden++
		return false, 0
	}
	c.shown++
	hidden, c.hidden = c.hidden, 0
	return true, hidden
}
