package fs

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

var (
	// ErrBusy: somebody has files or directories of the mount open, or works in one.
	ErrBusy = errors.New("the mount is in use")
	// ErrNotMounted: bus3 is not mounted there.
	ErrNotMounted = errors.New("bus3 is not mounted there")
)

// mountInfo is a line of /proc/self/mountinfo.
type mountInfo struct{ fsType string }

func (m mountInfo) bus3() bool { return m.fsType == "fuse.bus3" }

// Unmount unmounts bus3 from a directory, whether its server lives or not. A mount that is in use is ErrBusy unless lazy:
// then it vanishes from the directory at once, and ends when the last user is gone. A mount whose server is dead holds nothing
// that could be waited for, and goes at once.
func Unmount(mountpoint string, lazy bool) error {
	path, err := resolveMountpoint(mountpoint)
	if err != nil {
		return fmt.Errorf("unmount %q: %w", mountpoint, err)
	}
	m, err := findMount(path)
	if err != nil {
		return fmt.Errorf("unmount %q: %w", mountpoint, err)
	}
	if !m.bus3() {
		return fmt.Errorf("unmount %q: %w, but %s", mountpoint, ErrNotMounted, m.fsType)
	}
	if err := detach(path, lazy || dead(path)); err != nil {
		return fmt.Errorf("unmount %q: %w", mountpoint, err)
	}
	return nil
}

// dead tells whether the mount's server is gone.
func dead(path string) bool {
	var st unix.Statfs_t
	return errors.Is(unix.Statfs(path, &st), unix.ENOTCONN)
}

// detach tries a few times, since the kernel may still be closing what a program that just ended had open.
func detach(path string, lazy bool) error {
	const tries = 8
	for i := 1; ; i++ {
		err := detachOnce(path, lazy)
		if !errors.Is(err, ErrBusy) || i == tries {
			return err
		}
		time.Sleep(time.Duration(i) * 20 * time.Millisecond)
	}
}

func detachOnce(path string, lazy bool) error {
	if os.Geteuid() == 0 {
		flags := unix.UMOUNT_NOFOLLOW
		if lazy {
			flags |= unix.MNT_DETACH
		}
		err := unix.Unmount(path, flags)
		if errors.Is(err, unix.EBUSY) {
			return ErrBusy
		}
		return err
	}
	args := []string{"-u", path}
	if lazy {
		args = []string{"-u", "-z", path}
	}
	out, err := exec.Command("fusermount3", args...).CombinedOutput()
	if err == nil {
		return nil
	}
	if _, gone := findMount(path); errors.Is(gone, ErrNotMounted) {
		return nil
	}
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return fmt.Errorf("fusermount3: %w", err)
	}
	return fmt.Errorf("%w, or not yours: %s", ErrBusy, bytes.TrimSpace(out))
}

// resolveMountpoint is the path as the kernel knows it. It does not touch the mount itself, which may be dead.
func resolveMountpoint(path string) (string, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	full, err := filepath.EvalSymlinks(abs)
	if err == nil {
		return full, nil
	}
	if !errors.Is(err, syscall.ENOTCONN) && !errors.Is(err, syscall.EIO) && !errors.Is(err, os.ErrPermission) {
		return "", err
	}
	parent, err := filepath.EvalSymlinks(filepath.Dir(abs))
	if err != nil {
		return "", err
	}
	return filepath.Join(parent, filepath.Base(abs)), nil
}

// findMount is the topmost mount on a path.
func findMount(path string) (mountInfo, error) {
	table, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return mountInfo{}, err
	}
	defer func() { _ = table.Close() }()
	found, err := mountInfo{}, ErrNotMounted
	lines := bufio.NewScanner(table)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		dash := 6
		for dash < len(fields) && fields[dash] != "-" {
			dash++
		}
		if dash+1 < len(fields) && unescape(fields[4]) == path {
			found, err = mountInfo{fsType: fields[dash+1]}, nil
		}
	}
	return found, errors.Join(err, lines.Err())
}

// unescape undoes the octal escapes of /proc/self/mountinfo.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+4], 8, 8); err == nil {
				b.WriteByte(byte(c))
				i += 3
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
