package main

import (
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
)

// front stands before the S3 server and counts what clients ask for, in the same way for all of them. It costs time, so
// that nothing is timed through it.
type front struct {
	endpoint string
	server   http.Server

	puts, gets, others atomic.Int64 // others: LIST, HEAD, DELETE and what else there is
	putBytes, gotBytes atomic.Int64
}

// newFront starts a front before the server at endpoint.
func newFront(endpoint string) (*front, error) {
	target, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &front{endpoint: "http://" + listener.Addr().String()}
	f.server.Handler = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Host = r.In.Host // is signed
			f.count(r.In)
		},
		ModifyResponse: func(r *http.Response) error {
			if isObject(r.Request) && r.Request.Method == http.MethodGet {
				f.gotBytes.Add(max(r.ContentLength, 0))
			}
			return nil
		},
		Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
	}
	go func() { _ = f.server.Serve(listener) }() // ends by close
	return f, nil
}

func (f *front) close() error {
	if err := f.server.Close(); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// isObject tells requests for an object from those for a bucket, such as listings.
func isObject(r *http.Request) bool {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	return key != ""
}

func (f *front) count(r *http.Request) {
	switch {
	case isObject(r) && r.Method == http.MethodGet:
		f.gets.Add(1)
	case isObject(r) && r.Method == http.MethodPut:
		f.puts.Add(1)
		f.putBytes.Add(max(r.ContentLength, 0))
	default:
		f.others.Add(1)
	}
}

// total is the number of all requests.
func (f *front) total() int64 { return f.puts.Load() + f.gets.Load() + f.others.Load() }

// reset begins anew.
func (f *front) reset() {
	for _, n := range []*atomic.Int64{&f.puts, &f.gets, &f.others, &f.putBytes, &f.gotBytes} {
		n.Store(0)
	}
}
