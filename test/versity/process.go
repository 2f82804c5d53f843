package versity

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// process is a running versitygw.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
}

// start starts versitygw on a port and waits until it answers there. It fails when the port is taken.
func (s *Server) start(ctx context.Context, port int) (*process, error) {
	address := fmt.Sprintf("127.0.0.1:%d", port)
	p, err := s.launch(address)
	if err != nil {
		return nil, err
	}
	for {
		if healthy(ctx, "http://"+address+s.health) {
			return p, nil
		}
		select {
		case <-p.done:
			return nil, fmt.Errorf("it ended: %s", p.cmd.ProcessState)
		default:
		}
		if err := pause(ctx); err != nil {
			p.kill()
			return nil, err
		}
	}
}

func (s *Server) launch(address string) (*process, error) {
	log, err := os.OpenFile(s.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer func() { _ = log.Close() }() // the child has its own
	args := []string{"--port", address, "--quiet", "--health", s.health, "--keep-alive", "--region", Region, "--iam-dir", filepath.Join(s.dir, "iam"), "--iam-cache-disable", "posix"}
	if !hasAttributes(s.Data()) {
		args = append(args, "--sidecar", filepath.Join(s.dir, "sidecar"))
	}
	p := &process{cmd: exec.Command(s.program, append(args, s.Data())...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+s.Admin.AccessKey, "ROOT_SECRET_KEY="+s.Admin.SecretKey)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		runtime.LockOSThread() // Pdeathsig is about the thread that started the child: this one must outlive it
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			_ = p.cmd.Wait() // it always ends by a signal
			close(p.done)
		}
	}()
	return p, <-started
}

func (p *process) kill() {
	_ = p.cmd.Process.Kill() // may have ended already
	<-p.done
}

// healthy tells whether our own server, and not another one that took the port, answers at url: the path is secret.
func healthy(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return false
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	_, _ = io.Copy(io.Discard, response.Body) // only the status counts
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// freePort finds a port that nobody uses. It is out of the range from which the kernel takes ports for connections, so
// that it is still free after a Kill.
func freePort() (int, error) {
	for range 1000 {
		port := 20000 + rand.IntN(12000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("found no free port")
}

// hasAttributes tells whether files in dir can have the extended attributes in which versitygw keeps metadata.
func hasAttributes(dir string) bool {
	name := "user.bus3-test"
	if unix.Setxattr(dir, name, []byte("1"), 0) != nil {
		return false
	}
	return unix.Removexattr(dir, name) == nil
}
