package s3store_test

import (
	"crypto/rand"
	"strconv"
	"sync/atomic"
	"testing"

	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/test/versity"
)

const packSize = 32 << 20

// BenchmarkStores puts and gets packs, two at a time on two cores.
func BenchmarkStores(b *testing.B) {
	server := versity.New(b)
	versity.Setenv(b, server.Admin)
	bucket := server.Bucket(b)
	for name, store := range map[string]s3store.Store{
		"S3": open(b, server.URL(bucket), s3store.Options{}), "directory": open(b, fileURL(b.TempDir()), s3store.Options{}),
	} {
		var number atomic.Int64
		body := make([]byte, packSize)
		if _, err := rand.Read(body); err != nil {
			b.Fatal(err)
		}
		b.Run(name+"/put", func(b *testing.B) {
			b.SetBytes(packSize)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					if err := store.PutNew(b.Context(), "packs/"+strconv.FormatInt(number.Add(1), 10), body); err != nil {
						b.Error(err)
					}
				}
			})
		})
		b.Run(name+"/get", func(b *testing.B) {
			if err := store.Put(b.Context(), "packs/get", body); err != nil {
				b.Fatal(err)
			}
			b.SetBytes(packSize)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				dst := make([]byte, packSize)
				for pb.Next() {
					if _, err := store.GetRange(b.Context(), "packs/get", 0, dst); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}
