package slow_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/bus3/bus3/test/slow"
)

// get asks over a new connection each time.
func get(t *testing.T, url string) (string, time.Duration, error) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	begin := time.Now()
	response, err := client.Get(url)
	if err != nil {
		return "", 0, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	return string(body), time.Since(begin), err
}

func TestAnswersComeLateAndWhole(t *testing.T) {
	const latency = 60 * time.Millisecond
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("0123456789", 100_000)) // the client sees what is missing
	}))
	t.Cleanup(server.Close)
	line := slow.New(t, server.Listener.Addr().String(), latency)
	body, took, err := get(t, line.Endpoint())
	if err != nil || body != strings.Repeat("0123456789", 100_000) {
		t.Fatalf("%d bytes arrived: %v", len(body), err)
	}
	if took < latency {
		t.Errorf("the answer came after %s, less than the latency of %s", took, latency)
	}
	if err := line.SetLatency(0); err != nil {
		t.Fatal(err)
	}
	if _, _, err := get(t, line.Endpoint()); err != nil {
		t.Error(err)
	}
}

func TestACutLineCanBeMended(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(server.Close)
	line := slow.New(t, server.Listener.Addr().String(), 0)
	line.Cut()
	if _, _, err := get(t, line.Endpoint()); err == nil {
		t.Error("the cut line lets an answer through")
	}
	if err := line.Mend(); err != nil {
		t.Fatal(err)
	}
	if _, _, err := get(t, line.Endpoint()); err != nil {
		t.Error(err)
	}
}
