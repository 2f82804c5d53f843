package s3store_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/bus3/bus3/s3store"
)

// everything is all that a store does, with the objects that it needs.
func everything(ctx context.Context, s s3store.Store) map[string]error {
	_, get := s.Get(ctx, "there", 1<<20)
	_, getRange := s.GetRange(ctx, "there", 1, make([]byte, 4))
	_, stat := s.Stat(ctx, "there")
	return map[string]error{
		"Put":      s.Put(ctx, "put", []byte("body")),
		"PutNew":   s.PutNew(ctx, "new", []byte("body")),
		"Get":      get,
		"GetRange": getRange,
		"Stat":     stat,
		"List":     s.List(ctx, "", "", func(s3store.Object) error { return nil }),
		"Delete":   s.Delete(ctx, "other"),
	}
}

func TestRequestsAreTriedAgainAfterPassingFaults(t *testing.T) {
	f, s := newFront(t, patient())
	for name, fault := range map[string]fault{
		"HTTP 500": status(500, "InternalError"), "HTTP 503": status(503, "SlowDown"), "nothing like S3": status(502, ""),
		"a cut connection": cut, "a lost answer": f.loseAnswer,
	} {
		t.Run(name, func(t *testing.T) {
			f.set(nil)
			put(t, s, "there", []byte("content"))
			put(t, s, "other", []byte("content"))
			if err := s.Delete(t.Context(), "new"); err != nil {
				t.Fatal(err)
			}
			// every second request fails
			f.set(func(w http.ResponseWriter, r *http.Request, n int) bool { return n%2 == 0 && fault(w, r, n) })
			for what, err := range everything(t.Context(), s) {
				if err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}
			f.set(nil)
			for _, key := range []string{"put", "new"} {
				if body, err := s.Get(t.Context(), key, 10); err != nil || string(body) != "body" {
					t.Errorf("%s is %q, %v", key, body, err)
				}
			}
		})
	}
}

func TestAnAnswerThatBreaksOffIsAskedForAgain(t *testing.T) {
	f, s := newFront(t, patient())
	body := bytes.Repeat([]byte("0123456789"), 50_000)
	put(t, s, "a", body)
	f.set(times(1, f.shorten))
	got, err := s.Get(t.Context(), "a", 1<<20)
	if err != nil || !bytes.Equal(got, body) {
		t.Errorf("Get gives %d bytes, %v", len(got), err)
	}
	f.set(times(1, f.shorten))
	dst := make([]byte, 100_000)
	n, err := s.GetRange(t.Context(), "a", 7, dst)
	if err != nil || !bytes.Equal(dst[:n], body[7:100_007]) {
		t.Errorf("GetRange gives %d bytes, %v", n, err)
	}
}

func TestALostAnswerToPutNewIsNotMistakenForAnother(t *testing.T) {
	f, s := newFront(t, patient())
	body := bytes.Repeat([]byte("own "), 700_000) // compared in several pieces
	f.set(times(1, f.loseAnswer))
	if err := s.PutNew(t.Context(), "a", body); err != nil {
		t.Fatal(err)
	}
	for name, others := range map[string][]byte{
		"shorter": body[:100], "different at the end": append(bytes.Clone(body[:len(body)-1]), 'X'), "longer": append(bytes.Clone(body), 'X'),
	} {
		t.Run(name, func(t *testing.T) {
			f.set(nil)
			put(t, s, "b", others)
			f.set(times(1, cut))
			if err := s.PutNew(t.Context(), "b", body); !errors.Is(err, s3store.ErrExists) {
				t.Errorf("error is %v, want ErrExists", err)
			}
		})
	}
}

func TestDeadlinesEndWhatGetsNoAnswer(t *testing.T) {
	f, s := newFront(t, s3store.Options{ReadDeadline: 100 * time.Millisecond, WriteDeadline: 100 * time.Millisecond})
	for name, fault := range map[string]fault{"a server that hangs": f.hang, "a server that cuts": cut, "a server that fails": status(500, "InternalError")} {
		t.Run(name, func(t *testing.T) {
			f.set(fault)
			for what, err := range everything(t.Context(), s) {
				if !errors.Is(err, s3store.ErrUnavailable) {
					t.Errorf("%s: error is %v, want ErrUnavailable", what, err)
				} else if !strings.Contains(err.Error(), f.server.URL) && !strings.Contains(err.Error(), "endpoint=") {
					t.Errorf("%s: error does not name the server: %v", what, err)
				}
			}
		})
	}
}

func TestAHalfAnswerThatHangsEnds(t *testing.T) {
	f, s := newFront(t, s3store.Options{ReadDeadline: 200 * time.Millisecond})
	f.set(func(w http.ResponseWriter, r *http.Request, n int) bool {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write(make([]byte, 500))
		if err := http.NewResponseController(w).Flush(); err != nil {
			panic(err)
		}
		return f.hang(w, r, n)
	})
	if _, err := s.Get(t.Context(), "a", 1000); !errors.Is(err, s3store.ErrUnavailable) {
		t.Errorf("error is %v, want ErrUnavailable", err)
	}
}

func TestACancelledCallerDoesNotWaitForTheServer(t *testing.T) {
	f, s := newFront(t, patient())
	asked := make(chan struct{}, 1000)
	f.set(func(w http.ResponseWriter, r *http.Request, n int) bool {
		asked <- struct{}{}
		return f.hang(w, r, n)
	})
	for what, call := range map[string]func(context.Context) error{
		"Get": func(ctx context.Context) error { _, err := s.Get(ctx, "a", 10); return err },
		"Put": func(ctx context.Context) error { return s.Put(ctx, "a", []byte("x")) },
	} {
		ctx, cancel := context.WithCancel(t.Context())
		go func() { <-asked; cancel() }()
		if err := call(ctx); !errors.Is(err, context.Canceled) || errors.Is(err, s3store.ErrUnavailable) {
			t.Errorf("%s: error is %v, want context.Canceled", what, err)
		}
		if n := f.requests(); n > 2 {
			t.Errorf("%s: %d requests were sent", what, n)
		}
		cancel()
	}
}

func TestWhatWillNotChangeIsNotTriedAgain(t *testing.T) {
	f, s := newFront(t, patient())
	for name, c := range map[string]struct {
		fault fault
		want  error
		says  string
	}{
		"no bucket":     {status(404, "NoSuchBucket"), s3store.ErrNoBucket, "no such bucket"},
		"denied":        {status(403, "AccessDenied"), s3store.ErrDenied, "do not suffice"},
		"wrong secret":  {status(403, "SignatureDoesNotMatch"), s3store.ErrDenied, "credentials are wrong"},
		"unknown user":  {status(403, "InvalidAccessKeyId"), s3store.ErrDenied, "credentials are wrong"},
		"wrong region":  {status(400, "AuthorizationHeaderMalformed"), nil, "region us-east-1"},
		"disk full":     {status(507, "XMinioStorageFull"), s3store.ErrNoSpace, "no space"},
		"bad request":   {status(400, "InvalidArgument"), nil, "as the test wants it"},
		"no S3 at all":  {status(400, ""), nil, "HTTP 400"},
		"other object":  {status(404, "NoSuchKey"), s3store.ErrNotExist, "there"},
		"not supported": {status(501, "NotImplemented"), nil, "NotImplemented"},
	} {
		t.Run(name, func(t *testing.T) {
			f.set(c.fault)
			_, err := s.Get(t.Context(), "there", 10)
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.says) {
				t.Errorf("error is %v, want %v and %q", err, c.want, c.says)
			}
			if n := f.requests(); n != 1 {
				t.Errorf("%d requests were sent", n)
			}
		})
	}
}

func TestAServerWithoutConditionsIsRefused(t *testing.T) {
	f, s := newFront(t, patient())
	// a server that ignores If-None-Match answers 200 where ours answers 412
	f.set(func(w http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Header.Get("If-None-Match") == "" {
			return false
		}
		w.WriteHeader(http.StatusOK)
		return true
	})
	if err := s.ProbeConditional(t.Context()); !errors.Is(err, s3store.ErrUnconditional) {
		t.Errorf("error is %v, want ErrUnconditional", err)
	}
	f.set(func(w http.ResponseWriter, r *http.Request, _ int) bool {
		return r.Header.Get("If-None-Match") != "" && status(501, "NotImplemented")(w, r, 0)
	})
	if err := s.ProbeConditional(t.Context()); !errors.Is(err, s3store.ErrUnconditional) {
		t.Errorf("error is %v, want ErrUnconditional", err)
	}
}

func TestChecksumsAreSentUnlessTheServerRefusesThem(t *testing.T) {
	f, s := newFront(t, patient())
	const header = "X-Amz-Checksum-Crc32c"
	var sums int
	f.set(func(_ http.ResponseWriter, r *http.Request, _ int) bool {
		if r.Header.Get(header) != "" {
			sums++
		}
		return false
	})
	put(t, s, "a", []byte("with"))
	if sums != 1 {
		t.Errorf("%d checksums were sent, want 1", sums)
	}
	f.set(func(w http.ResponseWriter, r *http.Request, _ int) bool {
		return r.Header.Get(header) != "" && status(501, "NotImplemented")(w, r, 0)
	})
	put(t, s, "b", []byte("without"))
	put(t, s, "c", []byte("without"))
	if n := f.requests(); n != 3 {
		t.Errorf("%d requests were sent for two objects, want 3", n)
	}
}

func TestLyingServersAreNotBelieved(t *testing.T) {
	f, s := newFront(t, s3store.Options{ReadDeadline: 200 * time.Millisecond})
	for name, headers := range map[string]http.Header{
		"huge size":         {"Content-Length": {"99999999999"}},
		"other range":       {"Content-Length": {"4"}, "Content-Range": {"bytes 5-8/10"}},
		"longer range":      {"Content-Length": {"8"}, "Content-Range": {"bytes 0-7/10"}},
		"nonsense":          {"Content-Length": {"4"}, "Content-Range": {"bytes -/"}},
		"negative range":    {"Content-Length": {"4"}, "Content-Range": {"bytes 0--5/10"}},
		"no range, no size": {},
	} {
		t.Run(name, func(t *testing.T) {
			f.set(func(w http.ResponseWriter, _ *http.Request, _ int) bool {
				for k, v := range headers {
					w.Header()[k] = v
				}
				w.WriteHeader(206)
				if err := http.NewResponseController(w).Flush(); err != nil {
					panic(err)
				}
				panic(http.ErrAbortHandler)
			})
			if _, err := s.Get(t.Context(), "a", 3); err == nil {
				t.Error("Get believes it")
			}
			if _, err := s.GetRange(t.Context(), "a", 0, make([]byte, 4)); err == nil {
				t.Error("GetRange believes it")
			}
		})
	}
}
