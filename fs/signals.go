package fs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// heedInterrupt tells whether an interrupt that the thread pid brought about ends its request: if the thread is dying, if
// it cannot be looked at (it is gone, or in another PID namespace), or if the mount is no longer there.
func heedInterrupt(mountpoint string, pid uint32) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil || dying(status) {
		return true
	}
	_, err = findMount(mountpoint)
	return errors.Is(err, ErrNotMounted)
}

// signalSet has bit n-1 for signal n, as in /proc/PID/status.
type signalSet uint64

func signals(list ...unix.Signal) signalSet {
	var s signalSet
	for _, n := range list {
		s |= 1 << (n - 1)
	}
	return s
}

// dying tells from a thread's /proc/PID/status whether it has a signal pending that will end it: one that it neither
// blocks, ignores nor catches, and whose default action (signal(7)) is to end the process. The kernel turns a deadly
// signal for a process into SIGKILL for each of its threads. What cannot be read counts as dying.
func dying(status []byte) bool {
	var pending, spared signalSet
	seen := 0
	lines := bufio.NewScanner(bytes.NewReader(status))
	for lines.Scan() {
		name, value, _ := bytes.Cut(lines.Bytes(), []byte(":"))
		into := &spared
		switch string(name) {
		case "SigPnd", "ShdPnd":
			into = &pending
		case "SigBlk", "SigIgn", "SigCgt":
		default:
			continue
		}
		set, err := strconv.ParseUint(string(bytes.TrimSpace(value)), 16, 64)
		if err != nil {
			return true
		}
		*into |= signalSet(set)
		seen++
	}
	harmless := signals(unix.SIGCHLD, unix.SIGCONT, unix.SIGURG, unix.SIGWINCH, unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU)
	return seen < 5 || pending&^(spared|harmless) != 0
}
