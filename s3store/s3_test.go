package s3store_test

import (
	"testing"
	"time"

	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/storetest"
	"github.com/bus3/bus3/test/versity"
)

func TestS3(t *testing.T) {
	server := versity.New(t)
	versity.Setenv(t, server.Admin)
	storetest.Run(t, func(t *testing.T) s3store.Store { return open(t, server.URL(server.Bucket(t)), patient()) })
}

func TestS3BelowAPrefix(t *testing.T) {
	server := versity.New(t)
	versity.Setenv(t, server.Admin)
	storetest.Run(t, func(t *testing.T) s3store.Store {
		bucket := server.Bucket(t)
		put(t, open(t, server.URL(bucket), patient()), "elsewhere", nil)
		put(t, open(t, server.URL(bucket+"/backups2"), patient()), "other", nil)
		return open(t, server.URL(bucket+"/backups"), patient())
	})
}

// patient are options for tests that shall succeed, or count requests, however slow the machine is.
func patient() s3store.Options {
	return s3store.Options{ReadDeadline: 10 * time.Minute, WriteDeadline: 10 * time.Minute}
}

// counting are patient options that count.
func counting(r *s3store.Requests) s3store.Options {
	o := patient()
	o.Requests = r
	return o
}

func put(t *testing.T, s s3store.Store, key string, body []byte) {
	t.Helper()
	if err := s.Put(t.Context(), key, body); err != nil {
		t.Fatal(err)
	}
}
