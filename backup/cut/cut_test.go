package cut

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"testing"

	chunkers "github.com/PlakarKorp/go-cdc-chunkers"

	"github.com/bus3/bus3/catalog"
)

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
	const size = 32 << 20
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
	const size = 16 << 20
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
		_, _ = fmt.Fprintln(h, p.off)
	}
	const want = "27 05ce431786c24e07"
	if got := fmt.Sprintf("%d %s", len(all), hex.EncodeToString(h.Sum(nil)[:8])); got != want {
		t.Errorf("the cuts are %s, not %s", got, want)
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
		{Hash: nil},
		{Hash: hashOf, Fixed: -1},
		{Hash: hashOf, Fixed: catalog.MaxChunk + 1},
		{Hash: hashOf, Min: 100, Normal: 64, Max: 1000},
		{Hash: hashOf, Min: 100, Normal: 1000, Max: 2000},
		{Hash: hashOf, Min: 64, Normal: 1 << 20, Max: catalog.MaxChunk + 1},
		{Hash: hashOf, Min: -1, Normal: 1 << 20, Max: 2 << 20},
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
