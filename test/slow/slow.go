// Package slow puts a real TCP proxy in front of a server, for tests of what distance and broken lines cost.
package slow

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"
)

// Line is a TCP proxy whose answers come late.
type Line struct {
	proxy *toxiproxy.Proxy
	late  bool
}

// New makes a line to the server at address (host:port) that ends with the test.
func New(t testing.TB, address string, latency time.Duration) *Line {
	t.Helper()
	l, err := Start(address, latency)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Cut)
	return l
}

// Start makes a line to the server at address (host:port), on a free port of the loopback device. Whatever the server
// sends arrives latency later, at full rate. Cut ends it.
func Start(address string, latency time.Duration) (*Line, error) {
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	l := &Line{}
	for try := 0; ; try++ {
		l.proxy = toxiproxy.NewProxy(server, "line", freePort(), address)
		err := l.proxy.Start()
		if err == nil {
			break
		}
		if try == 1000 {
			return nil, fmt.Errorf("start a proxy to %s: %w", address, err)
		}
	}
	if err := l.SetLatency(latency); err != nil {
		l.Cut()
		return nil, err
	}
	return l, nil
}

// freePort is an address that is likely to be free, now and after a Cut: the kernel takes no ports for connections out
// of this range.
func freePort() string { return fmt.Sprintf("127.0.0.1:%d", 10000+rand.IntN(10000)) }

// SetLatency changes the latency, in whole milliseconds, of all connections from now on.
func (l *Line) SetLatency(latency time.Duration) error {
	if l.late {
		if err := l.proxy.Toxics.RemoveToxic(context.Background(), "latency"); err != nil {
			return fmt.Errorf("change the latency: %w", err)
		}
		l.late = false
	}
	if latency <= 0 {
		return nil
	}
	toxic := fmt.Sprintf(`{"name":"latency","type":"latency","stream":"downstream","attributes":{"latency":%d}}`, latency.Milliseconds())
	if _, err := l.proxy.Toxics.AddToxicJson(bytes.NewReader([]byte(toxic))); err != nil {
		return fmt.Errorf("set a latency of %s: %w", latency, err)
	}
	l.late = true
	return nil
}

// Address is the host and port to connect to. It stays the same after Cut and Mend.
func (l *Line) Address() string { return l.proxy.Listen }

// Endpoint is the URL of an HTTP server at the other end.
func (l *Line) Endpoint() string { return "http://" + l.Address() }

// Cut closes all connections and refuses new ones.
func (l *Line) Cut() { l.proxy.Stop() }

// Mend lets connections through again after Cut. It waits should somebody else have taken the port meanwhile.
func (l *Line) Mend() error {
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		err := l.proxy.Start()
		if err == nil || time.Now().After(end) {
			return err
		}
	}
}
