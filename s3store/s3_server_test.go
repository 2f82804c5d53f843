package s3store_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/test/slow"
	"github.com/bus3/bus3/test/versity"
)

func TestReadersNeedNoRightToWrite(t *testing.T) {
	server := versity.New(t)
	bucket := server.Bucket(t)
	versity.Setenv(t, server.Admin)
	put(t, open(t, server.URL(bucket), patient()), "a", []byte("content"))
	versity.Setenv(t, server.Reader(t, bucket))
	s := open(t, server.URL(bucket), patient())
	if body, err := s.Get(t.Context(), "a", 100); err != nil || string(body) != "content" {
		t.Errorf("Get gives %q, %v", body, err)
	}
	if _, err := s.GetRange(t.Context(), "a", 1, make([]byte, 3)); err != nil {
		t.Error(err)
	}
	if o, err := s.Stat(t.Context(), "a"); err != nil || o.Size != 7 {
		t.Errorf("Stat gives %v, %v", o, err)
	}
	if _, err := s.Stat(t.Context(), "b"); !errors.Is(err, s3store.ErrNotExist) {
		t.Errorf("Stat of what is absent: %v", err)
	}
	n := 0
	if err := s.List(t.Context(), "", "", func(s3store.Object) error { n++; return nil }); err != nil || n != 1 {
		t.Errorf("List finds %d objects, %v", n, err)
	}
	for what, err := range map[string]error{
		"Put": s.Put(t.Context(), "a", []byte("x")), "PutNew": s.PutNew(t.Context(), "b", []byte("x")), "Delete": s.Delete(t.Context(), "a"),
	} {
		if !errors.Is(err, s3store.ErrDenied) {
			t.Errorf("%s: error is %v, want ErrDenied", what, err)
		}
	}
}

func TestErrorsOfARealServerAreClear(t *testing.T) {
	server := versity.New(t)
	bucket, stranger := server.Bucket(t), server.Stranger(t)
	wrong := server.Admin
	wrong.SecretKey = "wrong"
	for name, c := range map[string]struct {
		credentials versity.Credentials
		url         string
		want        error
		says        string
	}{
		"no such bucket": {server.Admin, server.URL("not-there"), s3store.ErrNoBucket, "not-there"},
		"wrong secret":   {wrong, server.URL(bucket), s3store.ErrDenied, "credentials are wrong"},
		"unknown key":    {versity.Credentials{AccessKey: "nobody", SecretKey: "x"}, server.URL(bucket), s3store.ErrDenied, "credentials are wrong"},
		"no rights":      {stranger, server.URL(bucket), s3store.ErrDenied, "do not suffice"},
		"wrong region":   {server.Admin, strings.Replace(server.URL(bucket), versity.Region, "mars-1", 1), nil, "region mars-1"},
	} {
		t.Run(name, func(t *testing.T) {
			versity.Setenv(t, c.credentials)
			s := open(t, c.url, patient())
			_, get := s.Get(t.Context(), "a", 10)
			for what, err := range map[string]error{
				"Get": get, "Put": s.Put(t.Context(), "a", []byte("x")), "List": s.List(t.Context(), "", "", func(s3store.Object) error { return nil }),
			} {
				if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
					t.Errorf("%s: error is %v, want %v and %q", what, err, c.want, c.says)
				}
				if err != nil && strings.Contains(err.Error(), server.Admin.SecretKey) {
					t.Errorf("%s: the error tells the secret", what)
				}
			}
		})
	}
}

func TestAMissingBucketIsNotMistakenForAMissingObject(t *testing.T) {
	server := versity.New(t)
	versity.Setenv(t, server.Admin)
	s := open(t, server.URL("not-there"), patient())
	if _, err := s.Stat(t.Context(), "a"); !errors.Is(err, s3store.ErrNoBucket) {
		t.Errorf("error is %v, want ErrNoBucket", err)
	}
}

func TestWithoutCredentialsOpenFails(t *testing.T) {
	versity.Setenv(t, versity.Credentials{})
	_, err := s3store.Open(t.Context(), "s3://bucket?endpoint=http://127.0.0.1:1", patient())
	if !errors.Is(err, s3store.ErrDenied) || !strings.Contains(err.Error(), "no credentials") {
		t.Errorf("error is %v", err)
	}
}

func TestARestartedServerIsWaitedFor(t *testing.T) {
	server := versity.New(t)
	versity.Setenv(t, server.Admin)
	s := open(t, server.URL(server.Bucket(t)), patient())
	put(t, s, "a", []byte("before"))
	server.Kill()
	restarted := make(chan error, 1)
	go func() { restarted <- server.Restart(context.WithoutCancel(t.Context())) }()
	if body, err := s.Get(t.Context(), "a", 10); err != nil || string(body) != "before" {
		t.Errorf("Get gives %q, %v", body, err)
	}
	put(t, s, "b", []byte("after"))
	if err := <-restarted; err != nil {
		t.Fatal(err)
	}
}

func TestAServerThatIsAwayIsNamed(t *testing.T) {
	server := versity.New(t)
	versity.Setenv(t, server.Admin)
	line := slow.New(t, server.Address(), 0)
	s := open(t, versity.StoreURL(server.Bucket(t), line.Endpoint()), s3store.Options{ReadDeadline: 2 * time.Second})
	line.Cut()
	_, err := s.Get(t.Context(), "a", 10)
	if !errors.Is(err, s3store.ErrUnavailable) || !strings.Contains(err.Error(), "cannot reach "+line.Endpoint()) {
		t.Errorf("error is %v", err)
	}
	if err := line.Mend(); err != nil {
		t.Fatal(err)
	}
	put(t, s, "a", []byte("again"))
}

func TestListGoesOverManyPages(t *testing.T) {
	server := versity.New(t)
	versity.Setenv(t, server.Admin)
	bucket := server.Bucket(t)
	const many = 2500
	dir := filepath.Join(server.Data(), bucket, "p")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range many {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%06d", i)), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var requests s3store.Requests
	s := open(t, server.URL(bucket), counting(&requests))
	n := 0
	err := s.List(t.Context(), "p/", "", func(o s3store.Object) error {
		if want := fmt.Sprintf("p/%06d", n); o.Key != want {
			return fmt.Errorf("object %d is %s, want %s", n, o.Key, want)
		}
		n++
		return nil
	})
	if err != nil || n != many {
		t.Errorf("List finds %d objects, %v", n, err)
	}
	if pages := requests.Count(s3store.LIST); pages != 3 {
		t.Errorf("%d pages were asked for, want 3", pages)
	}
}

func TestForeignObjectsAreNotListed(t *testing.T) {
	server := versity.New(t)
	versity.Setenv(t, server.Admin)
	bucket := server.Bucket(t)
	for _, name := range []string{"README.TXT", "a b", "good"} {
		if err := os.WriteFile(filepath.Join(server.Data(), bucket, name), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var keys []string
	err := open(t, server.URL(bucket), patient()).List(t.Context(), "", "", func(o s3store.Object) error {
		keys = append(keys, o.Key)
		return nil
	})
	if err != nil || len(keys) != 1 || keys[0] != "good" {
		t.Errorf("List finds %v, %v", keys, err)
	}
}
