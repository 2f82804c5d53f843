package restore

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// prefixBytes is how many random bytes are in the names of unfinished files of a run.
const prefixBytes = 6

// random is the random part of a name that unfinished files have, of whatever run; "" if the name is none of these.
func random(name string) string {
	rest, ok := strings.CutPrefix(name, temporaryStart)
	if !ok || len(rest) < 2*prefixBytes+2 || rest[2*prefixBytes] != '-' {
		return ""
	}
	number := rest[2*prefixBytes+1:]
	rest = rest[:2*prefixBytes]
	if strings.Trim(rest, "0123456789abcdef") != "" || strings.Trim(number, "0123456789abcdefghijklmnopqrstuvwxyz") != "" {
		return ""
	}
	return rest
}

// sign is the lock by which a run shows, in its destination, that it is alive: on a byte of its own, far behind the end.
func sign(random string, kind int16) unix.Flock_t {
	at, err := strconv.ParseInt(random, 16, 64)
	if err != nil {
		panic(err) // it is 12 digits
	}
	return unix.Flock_t{Type: kind, Whence: io.SeekStart, Start: at, Len: 1}
}

// announce tells others who restore into the same destination that this run is alive, until that is closed.
func (r *run) announce(destination int) {
	l := sign(random(r.prefix+"0"), unix.F_RDLCK)
	_ = unix.FcntlFlock(uintptr(destination), unix.F_OFD_SETLK, &l) // where there are no locks, nobody tidies either
}

// dead tells whether the run that gave a name to an unfinished file is known not to run any more.
func (r *run) dead(destination int, name string) bool {
	its := random(name)
	if its == "" || strings.HasPrefix(name, r.prefix) {
		return false
	}
	l := sign(its, unix.F_WRLCK)
	err := unix.FcntlFlock(uintptr(destination), unix.F_OFD_GETLK, &l)
	return err == nil && l.Type == unix.F_UNLCK
}

// tidy removes from an open directory what a run that was killed left unfinished there. It closes fd.
func (r *run) tidy(destination, fd int) error {
	d := os.NewFile(uintptr(fd), "directory")
	defer d.Close() //nolint:errcheck // it was only read
	for {
		names, err := d.Readdirnames(1024)
		for _, name := range names {
			if !r.dead(destination, name) {
				continue
			}
			if err := unix.Unlinkat(fd, name, 0); err != nil && !errors.Is(err, unix.ENOENT) && !errors.Is(err, unix.EISDIR) {
				return fmt.Errorf("remove %q, which was left unfinished: %w", name, err)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("look for what was left unfinished: %w", err)
		}
	}
}
