package pgtest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience is how long a server may take to start or stop on a machine that has a lot else to do.
const patience = 3 * time.Minute

// cluster is a private PostgreSQL.
type cluster struct {
	bin      string // folder of its programs
	dir      string // its socket and, in data, its data
	settings []string
	as       *syscall.Credential // who runs it: PostgreSQL refuses to be root; nil: ourselves

	process *exec.Cmd
	log     *os.File
}

// newCluster makes a cluster and starts it.
func newCluster(settings []string) (_ *cluster, err error) {
	c := &cluster{settings: settings}
	if c.bin, err = programs(); err != nil {
		return nil, err
	}
	if c.dir, err = os.MkdirTemp(place(), "bus3-pg-"); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(c.dir))
		}
	}()
	if os.Geteuid() == 0 {
		if c.as, err = somebody(); err != nil {
			return nil, err
		}
		if err := os.Chown(c.dir, int(c.as.Uid), int(c.as.Gid)); err != nil {
			return nil, err
		}
	}
	if c.log, err = os.Create(filepath.Join(c.dir, "log")); err != nil {
		return nil, err
	}
	initdb := c.command("initdb", "--pgdata", filepath.Join(c.dir, "data"), "--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync")
	if out, err := initdb.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w: %s", err, out)
	}
	return c, c.start()
}

// place is a folder for clusters: in memory where there is room, since tests would otherwise wait for the disk most of
// the time. Never in TMPDIR: the name of a socket must be short, and another user must get there.
func place() string {
	const memory, room = "/dev/shm", 1 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(memory, &fs); err == nil && fs.Bavail*uint64(fs.Bsize) >= room {
		return memory
	}
	return "/tmp"
}

// programs finds the newest PostgreSQL on the machine, 15 at least.
func programs() (string, error) {
	dirs, err := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if err != nil {
		return "", err
	}
	best, newest := "", 14
	for _, p := range dirs {
		bin := filepath.Dir(p)
		if v, err := strconv.Atoi(filepath.Base(filepath.Dir(bin))); err == nil && v > newest {
			best, newest = bin, v
		}
	}
	if best != "" {
		return best, nil
	}
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p), nil
	}
	return "", errors.New("no PostgreSQL 15 or newer in /usr/lib/postgresql: install the Debian package postgresql-15 (apt-get install postgresql-15), or set BUS3_TEST_POSTGRES to the URL of a server")
}

// somebody is a user who is not root.
func somebody() (*syscall.Credential, error) {
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
		gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
		if err1 == nil && err2 == nil && uid != 0 {
			return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
		}
	}
	return nil, errors.New("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")
}

func (c *cluster) command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(c.bin, program), args...)
	cmd.Dir = c.dir
	cmd.Env = []string{"PATH=" + c.bin + ":/usr/bin:/bin", "LC_ALL=C", "HOME=" + c.dir}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Credential: c.as,
		Pdeathsig:  syscall.SIGQUIT, // an immediate shutdown if the test process dies
		Setpgid:    true,            // ^C is for the tests, which stop the cluster then
	}
	return cmd
}

// start starts the server and returns when it answers.
func (c *cluster) start() error {
	args := []string{"-D", filepath.Join(c.dir, "data"), "-k", c.dir}
	for _, s := range slices.Concat([]string{"listen_addresses=", "shared_buffers=32MB", "max_connections=100", "unix_socket_permissions=0777"}, c.settings) {
		args = append(args, "-c", s)
	}
	c.process = c.command("postgres", args...)
	c.process.Stdout, c.process.Stderr = c.log, c.log
	if err := c.process.Start(); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		err := c.ping(ctx)
		if err == nil {
			return nil
		}
		if ctx.Err() != nil || c.process.ProcessState != nil {
			log, _ := os.ReadFile(c.log.Name())
			return errors.Join(fmt.Errorf("PostgreSQL does not start: %w: %s", err, bytes.TrimSpace(log)), c.stop())
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *cluster) ping(ctx context.Context) error {
	q := url.Values{"host": {c.dir}, "user": {"postgres"}}
	conn, err := pgx.Connect(ctx, "postgres:///postgres?"+q.Encode())
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}

// stop ends the server at once, like a crash, and waits until it is gone.
func (c *cluster) stop() error {
	if c.process == nil {
		return nil
	}
	process := c.process
	c.process = nil
	if err := process.Process.Signal(syscall.SIGQUIT); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	overdue := time.AfterFunc(patience, func() { _ = process.Process.Kill() })
	defer overdue.Stop()
	var exit *exec.ExitError
	if err := process.Wait(); err != nil && !errors.As(err, &exit) {
		return err
	}
	return nil
}
