package s3store_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/test/versity"
)

func TestOpenRefusesWhatItDoesNotUnderstand(t *testing.T) {
	versity.Setenv(t, versity.Credentials{AccessKey: "a", SecretKey: "b"})
	for _, url := range []string{
		"", "/path", "ftp://host/path", "file://", "file://host/path", "file:relative", "file:///path?x=y",
		"s3://", "s3:///prefix", "s3://b?endpoint=nonsense", "s3://b?endpoint=ftp://x", "s3://bucket?regoin=x", "s3://bucket?endpoint=http://user:hidden@host",
		"s3://key:hidden@bucket", "s3://key:hidden@bucket/%zz", "s3://bucket/%00",
	} {
		_, err := s3store.Open(t.Context(), url, s3store.Options{})
		if err == nil {
			t.Errorf("Open(%q) succeeds", url)
		} else if strings.Contains(err.Error(), "hidden") {
			t.Errorf("the error tells the secret: %v", err)
		}
	}
}

func TestTheURLOfAStoreOpensIt(t *testing.T) {
	versity.Setenv(t, versity.Credentials{AccessKey: "a", SecretKey: "b"})
	for _, url := range []string{"s3://bucket", "s3://bucket/some/prefix?endpoint=https://host:9000&region=eu-1", "file:///some/where%20else"} {
		first := open(t, url, patient()).String()
		if again := open(t, first, patient()).String(); first != url || again != url {
			t.Errorf("store %s calls itself %s and that %s", url, first, again)
		}
	}
}

// TestLimitsHoldRatesDown measures the least time only: nothing makes a limited transfer too slow to pass.
func TestLimitsHoldRatesDown(t *testing.T) {
	server := versity.New(t)
	versity.Setenv(t, server.Admin)
	const rate, size = 400_000, 200_000
	for name, url := range map[string]string{"S3": server.URL(server.Bucket(t)), "directory": fileURL(t.TempDir())} {
		t.Run(name, func(t *testing.T) {
			s := open(t, url, s3store.Options{UploadLimit: rate, DownloadLimit: rate})
			// the burst, an eighth of a second, is free; so is the last piece of a download
			const least = time.Second * (size - 2*rate/8) / rate
			body := bytes.Repeat([]byte{7}, size)
			begin := time.Now()
			put(t, s, "a", body)
			if took := time.Since(begin); took < least {
				t.Errorf("the upload took %s, at the limit it takes %s", took, least)
			}
			begin = time.Now()
			if got, err := s.Get(t.Context(), "a", size); err != nil || !bytes.Equal(got, body) {
				t.Errorf("Get gives %d bytes, %v", len(got), err)
			}
			if took := time.Since(begin); took < least {
				t.Errorf("the download took %s, at the limit it takes %s", took, least)
			}
		})
	}
}

func TestAVeryLowLimitStillLetsSomethingThrough(t *testing.T) {
	s := open(t, fileURL(t.TempDir()), s3store.Options{UploadLimit: 1, DownloadLimit: 1})
	put(t, s, "a", []byte("x"))
	if body, err := s.Get(t.Context(), "a", 1); err != nil || string(body) != "x" {
		t.Errorf("Get gives %q, %v", body, err)
	}
}

func TestRequestsAreCounted(t *testing.T) {
	server := versity.New(t)
	versity.Setenv(t, server.Admin)
	for name, url := range map[string]string{"S3": server.URL(server.Bucket(t)), "directory": fileURL(t.TempDir())} {
		t.Run(name, func(t *testing.T) {
			var r s3store.Requests
			s := open(t, url, counting(&r))
			put(t, s, "a", make([]byte, 1000))
			if _, err := s.GetRange(t.Context(), "a", 10, make([]byte, 20)); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Get(t.Context(), "a", 1000); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Stat(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			if err := s.List(t.Context(), "", "", func(s3store.Object) error { return nil }); err != nil {
				t.Fatal(err)
			}
			if err := s.Delete(t.Context(), "a"); err != nil {
				t.Fatal(err)
			}
			const want = "1 PUT (1000 bytes), 2 GET (1020 bytes), 1 HEAD, 1 LIST, 1 DELETE"
			if r.String() != want || r.Total() != 6 {
				t.Errorf("counted %s, in all %d, want %s", &r, r.Total(), want)
			}
		})
	}
}
