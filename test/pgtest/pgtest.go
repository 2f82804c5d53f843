// Package pgtest gives tests a real PostgreSQL: a private cluster on a unix socket, which nothing else uses and which
// ends with the test process; or the server that BUS3_TEST_POSTGRES names.
package pgtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Server is a PostgreSQL in which tests make databases.
type Server struct {
	admin   *url.URL // of a database in which CREATE DATABASE may be said
	cluster *cluster // nil: somebody else's server
}

// Start starts a private cluster, or takes the server of BUS3_TEST_POSTGRES if that is set. It is meant for TestMain;
// Stop ends it.
func Start() (*Server, error) {
	if text := os.Getenv("BUS3_TEST_POSTGRES"); text != "" {
		admin, err := url.Parse(text)
		if err != nil || admin.Scheme == "" {
			return nil, errors.New("BUS3_TEST_POSTGRES is no URL like postgres://user@host/database")
		}
		return &Server{admin: admin}, nil
	}
	return StartPrivate()
}

// StartPrivate starts a private cluster in any case: for tests that restart it.
func StartPrivate(settings ...string) (*Server, error) {
	c, err := newCluster(settings)
	if err != nil {
		return nil, err
	}
	q := url.Values{"host": {c.dir}, "user": {"postgres"}}
	return &Server{cluster: c, admin: &url.URL{Scheme: "postgres", Path: "/postgres", RawQuery: q.Encode()}}, nil
}

// Private is a private cluster that ends with the test. Settings are "name=value".
func Private(t testing.TB, settings ...string) *Server {
	t.Helper()
	s, err := StartPrivate(settings...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Stop ends a private cluster and removes it.
func (s *Server) Stop() error {
	if s.cluster == nil {
		return nil
	}
	return errors.Join(s.cluster.stop(), os.RemoveAll(s.cluster.dir))
}

// Restart is pg_ctl restart -m immediate: like a crash. Only private clusters can be restarted.
func (s *Server) Restart() error {
	if s.cluster == nil {
		return errors.New("the server of BUS3_TEST_POSTGRES is not restarted: use Private")
	}
	if err := s.Crash(); err != nil {
		return err
	}
	return s.Resume()
}

// Crash ends a private cluster as pg_ctl stop -m immediate does; Resume starts it again.
func (s *Server) Crash() error { return s.cluster.stop() }

// Resume starts a private cluster again.
func (s *Server) Resume() error { return s.cluster.start() }

// Database makes a new, empty database and returns its URL. It is dropped when the test ends.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	name, url, err := s.create("template0")
	if err != nil {
		t.Fatalf("make a database for the test: %v", err)
	}
	t.Cleanup(func() {
		if err := s.exec("DROP DATABASE " + pgx.Identifier{name}.Sanitize() + " WITH (FORCE)"); err != nil {
			t.Errorf("drop the test's database: %v", err)
		}
	})
	return url
}

// NewDatabase is Database for programs that are no tests: it goes with the server.
func (s *Server) NewDatabase() (url string, err error) {
	_, url, err = s.create("template0")
	return url, err
}

// create makes a database from a template.
func (s *Server) create(template string) (name, url string, err error) {
	name = "bus3_test_" + rand.Text()
	u := *s.admin
	u.Path = "/" + name
	return name, u.String(), s.exec("CREATE DATABASE " + pgx.Identifier{name}.Sanitize() + " TEMPLATE " + pgx.Identifier{template}.Sanitize())
}

func (s *Server) exec(sql string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.admin.String())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close(ctx)) }()
	if _, err = conn.Exec(ctx, sql); err != nil {
		return fmt.Errorf("%s: %w", sql, err)
	}
	return nil
}
