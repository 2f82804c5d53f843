package tree

import (
	"testing"

	"golang.org/x/sys/unix"
)

func TestAnInterruptedCallIsMadeAgain(t *testing.T) {
	calls := 0
	n, err := count(func() (int, error) {
		if calls++; calls < 3 {
			return -1, unix.EINTR
		}
		return 7, unix.ENOENT
	})
	if n != 7 || err != unix.ENOENT || calls != 3 {
		t.Errorf("%d calls gave %d, %v", calls, n, err)
	}
}
