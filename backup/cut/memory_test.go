package cut

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/bus3/bus3/catalog"
)

// memory is a file in memory: data at offsets, holes between.
type memory struct {
	data    []byte
	extents [][2]int64 // nil: everything is data
	fail    error      // what reading fails with
}

func (m *memory) ReadAt(p []byte, off int64) (int, error) {
	if m.fail != nil {
		return 0, m.fail
	}
	return bytes.NewReader(m.data).ReadAt(p, off)
}

func (m *memory) NextExtent(off int64) (start, end int64, err error) {
	all := m.extents
	if all == nil {
		all = [][2]int64{{0, int64(len(m.data))}}
	}
	for _, e := range all {
		if off < e[1] {
			return max(off, e[0]), e[1], nil
		}
	}
	return 0, 0, io.EOF
}

// piece is a chunk as it was emitted.
type piece struct {
	off  int64
	size int
	hash catalog.Hash
}

func (p piece) end() int64 { return p.off + int64(p.size) }

func random(size int, seed byte) []byte {
	data := make([]byte, size)
	_, _ = rand.NewChaCha8([32]byte{seed}).Read(data)
	return data
}

func hashOf(p []byte) catalog.Hash { return sha256.Sum256(p) }

func cutter(t testing.TB, p Params) *Cutter {
	t.Helper()
	if p.Hash == nil {
		p.Hash = hashOf
	}
	c, err := New(p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// pieces cuts and checks that what is emitted is what is there.
func pieces(t testing.TB, c *Cutter, m *memory, size int64) []piece {
	t.Helper()
	var all []piece
	err := c.Cut(context.Background(), m, size, func(off int64, plain []byte, hash catalog.Hash) error {
		if !bytes.Equal(plain, m.data[off:off+int64(len(plain))]) || hash != hashOf(plain) {
			return fmt.Errorf("the chunk at %d is not what the file has there", off)
		}
		if len(all) > 0 && off < all[len(all)-1].end() {
			return fmt.Errorf("the chunk at %d overlaps the one before", off)
		}
		all = append(all, piece{off, len(plain), hash})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func whole(t *testing.T, all []piece, start, end int64) {
	t.Helper()
	for _, p := range all {
		if p.off != start {
			t.Fatalf("a chunk begins at %d, not %d", p.off, start)
		}
		start = p.end()
	}
	if start != end {
		t.Fatalf("the chunks end at %d, not %d", start, end)
	}
}
