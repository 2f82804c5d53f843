package pack_test

import (
	"testing"

	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/s3store/seal"
)

func BenchmarkSealSegment(b *testing.B) {
	for name, plain := range map[string][]byte{"noise": noise(1 << 20), "text": text(1 << 20), "small": text(4 << 10)} {
		b.Run(name, func(b *testing.B) {
			box := pack.SegmentBox(keys(), id)
			dst := make([]byte, 0, 2<<20)
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				pack.SealSegment(dst, box, 0, plain, seal.Auto)
			}
		})
	}
}

func BenchmarkOpenSegment(b *testing.B) {
	for name, plain := range map[string][]byte{"noise": noise(1 << 20), "text": text(1 << 20), "small": text(4 << 10)} {
		b.Run(name, func(b *testing.B) {
			box := pack.SegmentBox(keys(), id)
			sealed := pack.SealSegment(nil, box, 0, plain, seal.Auto)
			dst := make([]byte, 0, 2<<20)
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := pack.OpenSegment(dst, box, 0, sealed, uint32(len(plain))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
