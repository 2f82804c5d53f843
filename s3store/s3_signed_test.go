package s3store

import (
	"bytes"
	"testing"
	"time"

	"github.com/bus3/bus3/test/versity"
)

// TestBodiesAreSignedOnWaysThatAreNotSafe sends a signed body to a real server: it refuses a wrong signature. That it
// is the body which is signed shows in the headers.
func TestBodiesAreSignedOnWaysThatAreNotSafe(t *testing.T) {
	server := versity.New(t)
	versity.Setenv(t, server.Admin)
	const patience = 10 * time.Minute
	var requests Requests
	opened, err := Open(t.Context(), server.URL(server.Bucket(t)), Options{ReadDeadline: patience, WriteDeadline: patience, Requests: &requests})
	if err != nil {
		t.Fatal(err)
	}
	s := opened.(*S3)
	body := bytes.Repeat([]byte("content"), 100_000)
	if p := s.payload(nil); p != "UNSIGNED-PAYLOAD" {
		t.Errorf("on the loopback device %s is signed", p)
	}
	s.trusted = false
	if p := s.payload(nil); p != "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855" {
		t.Errorf("of nothing %s is signed", p)
	}
	if err := s.PutNew(t.Context(), "a", body); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), "a", 1<<20); err != nil || !bytes.Equal(got, body) {
		t.Errorf("Get gives %d bytes, %v", len(got), err)
	}
	if n := requests.Bytes(PUT); n != int64(len(body)) {
		t.Errorf("%d bytes were read to send %d", n, len(body))
	}
	err = s.putOnce(t.Context(), "b", content{body: body, payload: s.payload(body[1:]), sum: crc32c(body)}, false, attempt{moved: func() {}})
	if err == nil {
		t.Error("the server takes a body that is not what was signed")
	}
}
