package test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestSambaServesTheMount(t *testing.T) {
	on(t, []combination{{s3: true}}, func(t *testing.T, r *rig) {
		source := r.path("source")
		write(t, source, "empty", "", "letters/größe.txt", "eight", "letters/deep/er/a b", "c", "large", string(noise(1, 5<<20)))
		for i := range 100 {
			write(t, source, fmt.Sprintf("small/%d", i), strings.Repeat(fmt.Sprint(i), i*40))
		}
		if err := os.Symlink("small", filepath.Join(source, "link")); err != nil {
			t.Fatal(err)
		}
		r.backup(source)
		got := r.path("got")
		if err := os.Mkdir(got, 0o700); err != nil {
			t.Fatal(err)
		}
		s := newSamba(t, r.mount())
		s.client("cd latest; lcd " + got + "; recurse; prompt; mget *")
		sh(t, "diff", "-r", source, got)
	})
}

// samba is a share of a directory that anybody may read who reaches its port.
type samba struct {
	t      *testing.T
	dir    string
	config string
	port   int
}

// newSamba shares a directory until the end of the test. Each connection has an smbd of its own, to which it is standard
// input, as under inetd: so the port is the test's, and nothing is left when the client has gone.
func newSamba(t *testing.T, share string) *samba {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "bus3-smb-") // Samba has sockets there, whose names must be short
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &samba{t: t, dir: dir, config: filepath.Join(dir, "smb.conf"), port: listener.Addr().(*net.TCPAddr).Port}
	s.configure(share)
	ctx, kill := context.WithCancel(context.Background())
	var served sync.WaitGroup
	served.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return // the test has closed it
			}
			served.Go(func() { s.serve(ctx, conn.(*net.TCPConn)) })
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		overdue := time.AfterFunc(patience, kill)
		served.Wait()
		overdue.Stop()
		kill()
		until(t, "Samba's directory is removed", func() bool { return os.RemoveAll(dir) == nil })
	})
	return s
}

// configure keeps Samba out of everything but its directory. Guests are who runs the test: nobody else may enter the mount.
func (s *samba) configure(share string) {
	s.t.Helper()
	me, err := user.Current()
	if err != nil {
		s.t.Fatal(err)
	}
	text := "[global]\nserver role = standalone server\nmap to guest = bad user\nguest account = " + me.Username + "\n" +
		"load printers = no\ndisable spoolss = yes\nlog level = 1\nlog file = " + s.dir + "/log\n"
	for _, option := range []string{"private dir", "lock directory", "state directory", "cache directory", "pid directory", "ncalrpc dir"} {
		text += option + " = " + s.dir + "/var\n"
	}
	text += "[share]\npath = " + share + "\nguest ok = yes\nread only = yes\n"
	write(s.t, s.dir, "smb.conf", text)
	if err := os.Mkdir(filepath.Join(s.dir, "var"), 0o700); err != nil {
		s.t.Fatal(err)
	}
}

// serve is one smbd, in a session of its own: it kills its process group when it ends.
func (s *samba) serve(ctx context.Context, conn *net.TCPConn) {
	defer func() { _ = conn.Close() }()
	input, err := conn.File()
	if err != nil {
		s.t.Error(err)
		return
	}
	defer func() { _ = input.Close() }()
	cmd := exec.CommandContext(ctx, "sh", "-c", `PATH=$PATH:/usr/sbin exec smbd --configfile="$1" --no-process-group`, "sh", s.config)
	cmd.Stdin, cmd.SysProcAttr = input, &syscall.SysProcAttr{Setsid: true}
	_ = cmd.Run() // it ends by a signal; what the client got tells how it went
}

// client does commands of smbclient in the share, which must succeed. It waits for 20 seconds and no longer when it connects, so
// it is given time on a machine that has a lot else to do.
func (s *samba) client(commands string) {
	s.t.Helper()
	for end := time.Now().Add(patience); ; {
		cmd := exec.Command("smbclient", "--no-pass", "--configfile", s.config, "--port", fmt.Sprint(s.port), "--timeout", "120",
			"//127.0.0.1/share", "--command", commands)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		out, err := cmd.CombinedOutput()
		if err == nil {
			return
		}
		if !strings.Contains(string(out), "NT_STATUS_IO_TIMEOUT") || time.Now().After(end) {
			log, _ := os.ReadFile(filepath.Join(s.dir, "log"))
			s.t.Fatalf("smbclient: %v\n%s\nand smbd:\n%s", err, out, log)
		}
	}
}
