package fs

import (
	"testing"
	"time"
)

func TestAFloodOfFailuresIsLoggedInParts(t *testing.T) {
	now := time.Unix(1000, 0)
	c := complaints{now: func() time.Time { return now }}
	shown := 0
	for range 1000 {
		if show, hidden := c.allow(); show {
			shown++
			if hidden != 0 {
				t.Errorf("%d are said to be hidden before any was", hidden)
			}
		}
	}
	if shown != complaintsShown {
		t.Errorf("%d of 1000 were shown", shown)
	}
	now = now.Add(complaintPeriod)
	if show, hidden := c.allow(); !show || hidden != 1000-complaintsShown {
		t.Errorf("the first one of the next period: shown %v, %d hidden before", show, hidden)
	}
	if show, hidden := c.allow(); !show || hidden != 0 {
		t.Errorf("the second one: shown %v, %d hidden before", show, hidden)
	}
}
