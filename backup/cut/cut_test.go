package cut

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	chunkers "github.com/PlakarKorp/go-cdc-chunkers"

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

func TestASmallFileIsOneChunk(t *testing.T) {
	c := cutter(t, Params{})
	for _, size := range []int{1, 4096, DefaultMin - 1, DefaultMin} {
		if got := pieces(t, c, &memory{data: random(size, 1)}, int64(size)); len(got) != 1 || got[0].size != size {
			t.Errorf("%d bytes: %v", size, got)
		}
	}
	if got := pieces(t, c, &memory{}, 0); len(got) != 0 {
		t.Errorf("nothing: %v", got)
	}
}

func TestChunksHaveTheSizesThatAreAskedFor(t *testing.T) {
	const size = 64 << 20
	all := pieces(t, cutter(t, Params{Key: [32]byte{1}}), &memory{data: random(size, 2)}, size)
	whole(t, all, 0, size)
	for _, p := range all[:len(all)-1] {
		if p.size < DefaultMin || p.size > DefaultMax {
			t.Errorf("a chunk of %d bytes", p.size)
		}
	}
	if mean := size / len(all); mean < 500<<10 || mean > 700<<10 {
		t.Errorf("the mean chunk has %d bytes", mean)
	}
	zeros := pieces(t, cutter(t, Params{}), &memory{data: make([]byte, 10<<20)}, 10<<20)
	whole(t, zeros, 0, 10<<20)
}

func TestAnInsertionChangesFewChunks(t *testing.T) {
	const size = 32 << 20
	data := random(size, 3)
	c := cutter(t, Params{Key: [32]byte{2}})
	before := make(map[catalog.Hash]bool)
	for _, p := range pieces(t, c, &memory{data: data}, size) {
		before[p.hash] = true
	}
	inserted := slices.Insert(slices.Clone(data), 1000, '!')
	fresh := 0
	for _, p := range pieces(t, c, &memory{data: inserted}, size+1) {
		if !before[p.hash] {
			fresh += p.size
		}
	}
	if fresh == 0 || fresh > 2*DefaultMax {
		t.Errorf("1 byte makes %d bytes new", fresh)
	}
}

func TestAnotherKeyCutsElsewhere(t *testing.T) {
	data := &memory{data: random(8<<20, 4)}
	a := pieces(t, cutter(t, Params{Key: [32]byte{1}}), data, 8<<20)
	b := pieces(t, cutter(t, Params{Key: [32]byte{2}}), data, 8<<20)
	if slices.Equal(a, b) {
		t.Error("the key does not matter")
	}
	again := pieces(t, cutter(t, Params{Key: [32]byte{1}}), data, 8<<20)
	if !slices.Equal(a, again) {
		t.Error("the same key cuts elsewhere")
	}
}

func TestTheCutsAreThoseOfTheLibrary(t *testing.T) {
	data := random(9<<20+1, 14)
	copy(data[1<<20:], make([]byte, 3<<20)) // zeros, where nothing may be found
	for _, p := range []Params{{Min: DefaultMin, Normal: DefaultNormal, Max: DefaultMax}, {Min: 64, Normal: 256, Max: 1000}, {Min: 1000, Normal: 1024, Max: 1025}, {Min: 3 << 10, Normal: 16 << 10, Max: 128 << 10}} {
		p.Key = [32]byte{9, 9}
		options := &chunkers.ChunkerOpts{MinSize: p.Min, NormalSize: p.Normal, MaxSize: p.Max, Key: p.Key[:]}
		library, err := chunkers.NewChunker("fastcdc-v1.0.0", bytes.NewReader(data), options)
		if err != nil {
			t.Fatal(err)
		}
		for _, piece := range pieces(t, cutter(t, p), &memory{data: data}, int64(len(data))) {
			want, err := library.Next()
			if err != nil && !errors.Is(err, io.EOF) {
				t.Fatal(err)
			}
			if piece.size != len(want) {
				t.Fatalf("%d, %d, %d: the chunk at %d has %d bytes, not %d", p.Min, p.Normal, p.Max, piece.off, piece.size, len(want))
			}
		}
	}
}

// The cuts are part of what a repository is: were they to change, everything would be stored once more.
func TestTheCutsStayWhereTheyAre(t *testing.T) {
	all := pieces(t, cutter(t, Params{Key: [32]byte{7, 7, 7}}), &memory{data: random(16<<20, 5)}, 16<<20)
	h := sha256.New()
	for _, p := range all {
		fmt.Fprintln(h, p.off)
	}
	const want = "27 05ce431786c24e07"
	if got := fmt.Sprintf("%d %s", len(all), hex.EncodeToString(h.Sum(nil)[:8])); got != want {
		t.Errorf("the cuts are %s, not %s", got, want)
	}
}

func TestHolesAreInNoChunk(t *testing.T) {
	const size = 24 << 20
	m := &memory{data: random(size, 6), extents: [][2]int64{{4096, 8192}, {1 << 20, 9 << 20}, {12 << 20, 12<<20 + 1}, {20 << 20, 23 << 20}}}
	for _, p := range []Params{{}, {Fixed: 1 << 20}} {
		all := pieces(t, cutter(t, p), m, size)
		for _, e := range m.extents {
			whole(t, slices.DeleteFunc(slices.Clone(all), func(p piece) bool { return p.off < e[0] || p.off >= e[1] }), e[0], e[1])
		}
		if last := all[len(all)-1].end(); last != 23<<20 {
			t.Errorf("the last chunk ends at %d", last)
		}
	}
	if got := pieces(t, cutter(t, Params{}), &memory{extents: [][2]int64{}}, 1<<40); len(got) != 0 {
		t.Errorf("a file that is a hole has chunks: %v", got)
	}
}

func TestTinyHolesCountUntilThereAreTooMany(t *testing.T) {
	const step, number = 8192, 1000
	m := &memory{data: random(step*number+1<<20, 7)}
	for i := range number {
		m.extents = append(m.extents, [2]int64{int64(i) * step, int64(i)*step + 4096})
	}
	large := m.extents[number-1][1] + minHole
	m.extents = append(m.extents, [2]int64{large, large + 4096})
	all := pieces(t, cutter(t, Params{}), m, int64(len(m.data)))
	for i, p := range all[:manyHoles] {
		if p.off != m.extents[i][0] || p.size != 4096 {
			t.Fatalf("chunk %d is %v", i, p)
		}
	}
	if len(all) > manyHoles+number/20 {
		t.Errorf("%d chunks", len(all))
	}
	if last := all[len(all)-1]; last.off != large || last.size != 4096 {
		t.Errorf("a hole of %d bytes does not count: %v", minHole, last)
	}
	rest := all[manyHoles : len(all)-1]
	whole(t, rest, m.extents[manyHoles][0], m.extents[number-1][1])
}

func TestExtentsThatTouchAreOne(t *testing.T) {
	m := &memory{data: random(100_000, 8), extents: [][2]int64{{0, 10_000}, {10_000, 50_000}, {50_000, 100_000}}}
	if got := pieces(t, cutter(t, Params{}), m, 100_000); len(got) != 1 {
		t.Errorf("%v", got)
	}
}

func TestFixedChunksBeginAtMultiples(t *testing.T) {
	const size = 5<<20 + 3
	all := pieces(t, cutter(t, Params{Fixed: 1 << 20}), &memory{data: random(size, 9)}, size)
	whole(t, all, 0, size)
	if len(all) != 6 || all[5].size != 3 {
		t.Errorf("%v", all)
	}
	m := &memory{data: random(size, 9), extents: [][2]int64{{100, 3 << 20}}}
	if all := pieces(t, cutter(t, Params{Fixed: 1 << 20}), m, size); all[0].size != 1<<20-100 || all[1].off != 1<<20 {
		t.Errorf("%v", all)
	}
}

func TestAFileThatShrinksIsNoticed(t *testing.T) {
	for _, p := range []Params{{}, {Fixed: 1 << 20}} {
		for _, has := range []int{0, 1000, 100_000, 3 << 20, 7<<20 - 1} {
			for _, size := range []int64{100_001, 7 << 20} {
				m := &memory{data: random(has, 10), extents: [][2]int64{{0, 1 << 62}}}
				var end int64
				err := cutter(t, p).Cut(context.Background(), m, size, func(off int64, plain []byte, _ catalog.Hash) error {
					end = off + int64(len(plain))
					return nil
				})
				want := min(int64(has), size)
				if shrunk := int64(has) < size; errors.Is(err, ErrShrunk) != shrunk || end != want {
					t.Errorf("%d of %d bytes: %v, emitted up to %d", has, size, err, end)
				}
			}
		}
	}
}

func TestWhatGrowsIsCutToTheSizeThatWasTold(t *testing.T) {
	c := cutter(t, Params{})
	for _, size := range []int64{1000, 3 << 20} {
		whole(t, pieces(t, c, &memory{data: random(5<<20, 11)}, size), 0, size)
	}
}

func TestErrorsEndACut(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	boom := errors.New("boom")
	for _, p := range []Params{{}, {Fixed: 1 << 20}} {
		c := cutter(t, p)
		for _, size := range []int{1000, 5 << 20} {
			m := &memory{data: random(size, 12)}
			none := func(int64, []byte, catalog.Hash) error { return nil }
			if err := c.Cut(ctx, m, int64(size), none); !errors.Is(err, context.Canceled) {
				t.Errorf("cancelled: %v", err)
			}
			if err := c.Cut(context.Background(), m, int64(size), func(int64, []byte, catalog.Hash) error { return boom }); !errors.Is(err, boom) {
				t.Errorf("emit failed: %v", err)
			}
			if err := c.Cut(context.Background(), &memory{data: m.data, fail: boom}, int64(size), none); !errors.Is(err, boom) {
				t.Errorf("read failed: %v", err)
			}
			whole(t, pieces(t, c, m, int64(size)), 0, int64(size)) // and leaves nothing behind
		}
	}
	empty := &memory{data: make([]byte, 10), extents: [][2]int64{{5, 5}}}
	if err := cutter(t, Params{}).Cut(context.Background(), empty, 10, nil); err == nil {
		t.Error("an empty extent is accepted: the cutter could run for ever")
	}
}

func TestBadParametersAreRefused(t *testing.T) {
	for _, p := range []Params{
		{Hash: nil}, {Hash: hashOf, Fixed: -1}, {Hash: hashOf, Fixed: catalog.MaxChunk + 1}, {Hash: hashOf, Min: 100, Normal: 64, Max: 1000},
		{Hash: hashOf, Min: 100, Normal: 1000, Max: 2000}, {Hash: hashOf, Min: 64, Normal: 1 << 20, Max: catalog.MaxChunk + 1}, {Hash: hashOf, Min: -1, Normal: 1 << 20, Max: 2 << 20},
	} {
		if _, err := New(p); err == nil {
			t.Errorf("%d, %d, %d, %d is accepted", p.Min, p.Normal, p.Max, p.Fixed)
		}
	}
}

func TestManyCutAtOnce(t *testing.T) {
	c := cutter(t, Params{})
	m := &memory{data: random(6<<20, 13)}
	want := pieces(t, c, m, 6<<20)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			var got []piece
			err := c.Cut(context.Background(), m, 6<<20, func(off int64, plain []byte, hash catalog.Hash) error {
				got = append(got, piece{off, len(plain), hash})
				return nil
			})
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("cut otherwise: %v", err)
			}
		})
	}
	group.Wait()
}
