package s3store_test

import (
	"net/url"
	"testing"

	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/storetest"
)

func fileURL(path string) string { return (&url.URL{Scheme: "file", Path: path}).String() }

func open(t testing.TB, url string, o s3store.Options) s3store.Store {
	t.Helper()
	s, err := s3store.Open(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	if d, ok := s.(*s3store.Dir); ok {
		t.Cleanup(func() {
			if err := d.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return s
}

func TestDirectory(t *testing.T) {
	storetest.Run(t, func(t *testing.T) s3store.Store { return open(t, fileURL(t.TempDir()), s3store.Options{}) })
}
