// Package versity starts a real S3 server for tests: versitygw, built from its pinned Go module, with its posix backend
// in a private directory, on a port of its own of the loopback device.
package versity

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Region is what the server calls its region.
const Region = "us-east-1"

// patience is for how long a loaded machine may take to start or stop the server.
const patience = 2 * time.Minute

// Credentials are what requests are signed with.
type Credentials struct{ AccessKey, SecretKey string }

// Env is the credentials as environment variables of the AWS SDK, for processes.
func (c Credentials) Env() []string {
	return []string{
		"AWS_ACCESS_KEY_ID=" + c.AccessKey, "AWS_SECRET_ACCESS_KEY=" + c.SecretKey, "AWS_SESSION_TOKEN=",
		"AWS_EC2_METADATA_DISABLED=true", "AWS_CONFIG_FILE=/dev/null", "AWS_SHARED_CREDENTIALS_FILE=/dev/null",
		"AWS_PROFILE=", "AWS_ENDPOINT_URL=", "AWS_ENDPOINT_URL_S3=", "AWS_REGION=", "AWS_CA_BUNDLE=",
	}
}

// Server is a running versitygw, or one that was killed and may be restarted.
type Server struct {
	Admin Credentials // may do everything

	program, dir, health string

	mu      sync.Mutex // guards what follows
	port    int
	process *process // nil when it does not run
}

// New starts a server that ends with the test.
func New(t testing.TB) *Server {
	t.Helper()
	s, err := Start(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.Close()
		if t.Failed() {
			t.Logf("the end of the server's log:\n%s", s.Log())
		}
	})
	return s
}

// Start starts a server that keeps all it has below dir. It builds the program first if need be. ctx is for the start
// only; Close stops the server, and should the calling process die, it dies too.
func Start(ctx context.Context, dir string) (*Server, error) {
	program, err := Program(ctx)
	if err != nil {
		return nil, err
	}
	s := &Server{
		Admin:   Credentials{"admin" + strings.ToLower(rand.Text())[:12], rand.Text()},
		program: program, dir: dir, health: "/health-" + rand.Text(),
	}
	for _, sub := range []string{"iam", "sidecar", "data"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, err
		}
	}
	return s, s.Restart(ctx)
}

// Data is the directory that has a directory per bucket, with the objects as files below.
func (s *Server) Data() string { return filepath.Join(s.dir, "data") }

// Endpoint is the URL of the server. It stays the same when the server is restarted.
func (s *Server) Endpoint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fmt.Sprintf("http://127.0.0.1:%d", s.port)
}

// Address is the host and port of the server.
func (s *Server) Address() string { return strings.TrimPrefix(s.Endpoint(), "http://") }

// URL is what bus3 calls a bucket of the server, or a prefix in it: "bucket" or "bucket/prefix".
func (s *Server) URL(bucket string) string { return StoreURL(bucket, s.Endpoint()) }

// StoreURL is what bus3 calls a bucket, or a prefix in it, that is reached through an endpoint: a proxy perhaps.
func StoreURL(bucket, endpoint string) string {
	return "s3://" + bucket + "?endpoint=" + url.QueryEscape(endpoint) + "&region=" + Region
}

// Setenv makes c the credentials that the AWS SDK finds in this test, and hides all others.
func Setenv(t testing.TB, c Credentials) {
	t.Helper()
	for _, pair := range c.Env() {
		name, value, _ := strings.Cut(pair, "=")
		t.Setenv(name, value)
	}
}

// Restart starts the server after Kill, on the same port and with the same data.
func (s *Server) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		return errors.New("versitygw runs already")
	}
	fixed := s.port
	for {
		port := fixed
		if fixed == 0 {
			var err error
			if port, err = freePort(); err != nil {
				return err
			}
		}
		p, err := s.start(ctx, port)
		if err == nil {
			s.process, s.port = p, port
			return nil
		}
		if ctx.Err() != nil {
			return fmt.Errorf("start versitygw: %w\n%s", err, s.Log())
		}
		if err := pause(ctx); err != nil {
			return err
		}
	}
}

// Kill ends the server at once, as a crash would.
func (s *Server) Kill() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		s.process.kill()
		s.process = nil
	}
}

// Close ends the server. Its data stays.
func (s *Server) Close() { s.Kill() }

// Log is the end of what the server printed.
func (s *Server) Log() string {
	const most = 4 << 10
	log, err := os.ReadFile(s.logFile())
	if err != nil {
		return err.Error()
	}
	return string(log[max(len(log)-most, 0):])
}

func (s *Server) logFile() string { return filepath.Join(s.dir, "versitygw.log") }

// pause lies between two looks at something that takes its time.
func pause(ctx context.Context) error {
	t := time.NewTimer(20 * time.Millisecond)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
