package s3store_test

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync"
	"testing"

	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/test/versity"
)

// front is an HTTP server before a real S3 server. It spoils what its fault says and passes the rest on.
type front struct {
	server *httptest.Server
	proxy  http.Handler
	done   chan struct{} // closed at the end of the test: what hangs must end then

	mu    sync.Mutex
	fault fault
	seen  int // requests since the fault was set
}

// fault handles request number n since it was set, from 0, or returns false: then it is passed on.
type fault func(w http.ResponseWriter, r *http.Request, n int) bool

// newFront returns a front before a server of its own, and a store that goes through it.
func newFront(t *testing.T, o s3store.Options) (*front, s3store.Store) {
	t.Helper()
	server := versity.New(t)
	versity.Setenv(t, server.Admin)
	behind, err := url.Parse(server.Endpoint())
	if err != nil {
		t.Fatal(err)
	}
	f := &front{done: make(chan struct{})}
	f.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(behind)
			r.Out.Host = r.In.Host // which is signed
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	f.server = httptest.NewServer(f)
	t.Cleanup(f.server.Close)
	t.Cleanup(func() { close(f.done) })
	return f, open(t, versity.StoreURL(server.Bucket(t), f.server.URL), o)
}

func (f *front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	fault, n := f.fault, f.seen
	f.seen++
	f.mu.Unlock()
	if fault == nil || !fault(w, r, n) {
		f.proxy.ServeHTTP(w, r)
	}
}

func (f *front) set(fault fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault, f.seen = fault, 0
}

func (f *front) requests() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.seen
}

// times is fault for the first n requests.
func times(n int, fault fault) fault {
	return func(w http.ResponseWriter, r *http.Request, i int) bool { return i < n && fault(w, r, i) }
}

// status answers with an error the way S3 does.
func status(status int, code string) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ int) bool {
		w.WriteHeader(status)
		_, _ = w.Write([]byte("<Error><Code>" + code + "</Code><Message>as the test wants it</Message></Error>"))
		return true
	}
}

// cut closes the connection instead of an answer.
func cut(http.ResponseWriter, *http.Request, int) bool { panic(http.ErrAbortHandler) }

// hang answers nothing until the client goes away or the test ends.
func (f *front) hang(_ http.ResponseWriter, r *http.Request, _ int) bool {
	select {
	case <-r.Context().Done():
	case <-f.done:
	}
	panic(http.ErrAbortHandler)
}

// loseAnswer lets the server do what was asked and cuts the connection instead of its answer.
func (f *front) loseAnswer(_ http.ResponseWriter, r *http.Request, _ int) bool {
	f.proxy.ServeHTTP(httptest.NewRecorder(), r)
	panic(http.ErrAbortHandler)
}

// shorten sends the head of the answer and the first bytes of its body only.
func (f *front) shorten(w http.ResponseWriter, r *http.Request, _ int) bool {
	answer := httptest.NewRecorder()
	f.proxy.ServeHTTP(answer, r)
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = w.Write(answer.Body.Bytes()[:answer.Body.Len()/2])
	if err := http.NewResponseController(w).Flush(); err != nil {
		panic(err)
	}
	panic(http.ErrAbortHandler)
}
