package cache

import (
	"bytes"
	"errors"
	"maps"
	"slices"
	"testing"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/pack"
)

// damaged is a world with one pack of three segments, and a file in the second of them.
func damaged(t *testing.T) (w *world, e catalog.Entry, data []byte) {
	w = newWorld(t)
	data = noise(900_000, 1)
	w.large("before", 900_000, 900_000, span{0, noise(900_000, 2)})
	e = w.large("f", 900_000, 300_000, span{0, data})
	w.large("behind", 900_000, 900_000, span{0, noise(900_000, 3)})
	w.ready()
	return w, e, data
}

func TestDamageIsNamedAndNeverRead(t *testing.T) {
	w, e, data := damaged(t)
	place := w.pieces[e.Content][1].Place
	key := pack.Key(place.Pack.Key)
	sound := w.objects[key]
	start, end := place.Segment.Offset, place.Segment.Offset+int64(place.Segment.Stored)
	for name, harm := range map[string]func([]byte) []byte{
		"first byte": func(b []byte) []byte { b[start] ^= 1; return b },
		"last byte":  func(b []byte) []byte { b[end-1] ^= 128; return b },
		"in between": func(b []byte) []byte { b[(start+end)/2] ^= 4; return b },
		"exchanged":  func(b []byte) []byte { copy(b[start:end], b[end:2*end-start]); return b },
		"cut off":    func(b []byte) []byte { return b[:end-1] },
		"empty":      func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			w.objects[key] = harm(bytes.Clone(sound))
			r := w.reader(Options{})
			for range 2 { // the error stays one
				n, err := r.ReadAt(t.Context(), &e, make([]byte, 1000), 400_000)
				var damage *DamageError
				if n != 0 || !errors.As(err, &damage) || damage.Pack != key || damage.Segment != place.Segment.Number {
					t.Fatalf("%d bytes, %v", n, err)
				}
			}
			w.objects[key] = sound // repaired: nothing of the damage was kept
			readAll(t, r, &e, data, 100_000)
		})
	}
}

func TestAWrongCatalogNeverGivesWrongBytes(t *testing.T) {
	w, e, data := damaged(t)
	sound := slices.Clone(w.pieces[e.Content])
	key := func(p *catalog.Place) string { return pack.Key(p.Pack.Key) }(&sound[1].Place)
	for name, c := range map[string]struct {
		alter func(p *catalog.Place)
		want  error // nil: damage
	}{
		"hash":              {func(p *catalog.Place) { p.Hash[0] ^= 1 }, nil},
		"offset":            {func(p *catalog.Place) { p.Offset++ }, nil},
		"length":            {func(p *catalog.Place) { p.Length-- }, nil},
		"segment's number":  {func(p *catalog.Place) { p.Segment.Number = 9 }, nil},
		"segment's offset":  {func(p *catalog.Place) { p.Segment.Offset++ }, nil},
		"segment's length":  {func(p *catalog.Place) { p.Segment.Length += 5 }, nil},
		"segment's size":    {func(p *catalog.Place) { p.Segment.Stored -= 7 }, nil},
		"beyond the pack":   {func(p *catalog.Place) { p.Segment.Offset = 1 << 40 }, catalog.ErrInvalid},
		"before the pack":   {func(p *catalog.Place) { p.Segment.Offset = -5 }, catalog.ErrInvalid},
		"larger than plain": {func(p *catalog.Place) { p.Pack.Size, p.Segment.Stored = 1<<30, 1<<29 }, catalog.ErrInvalid},
		"beyond segment":    {func(p *catalog.Place) { p.Offset = 1 << 31 }, catalog.ErrInvalid},
		"no length":         {func(p *catalog.Place) { p.Length = 0 }, catalog.ErrInvalid},
		"huge segment":      {func(p *catalog.Place) { p.Segment.Length = 1 << 31 }, catalog.ErrInvalid},
		"huge pack":         {func(p *catalog.Place) { p.Pack.Size = 1 << 50 }, catalog.ErrInvalid},
		"no bytes":          {func(p *catalog.Place) { p.Segment.Stored = 0 }, catalog.ErrInvalid},
		"pack's size":       {func(p *catalog.Place) { p.Pack.Size = p.Segment.Offset + int64(p.Segment.Stored) - 1 }, catalog.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			w.pieces[e.Content] = slices.Clone(sound)
			for i := range sound { // all of its segment
				c.alter(&w.pieces[e.Content][i].Place)
			}
			r := w.reader(Options{})
			n, err := r.ReadAt(t.Context(), &e, make([]byte, 500_000), 200_000)
			var damage *DamageError
			if n != 0 || c.want == nil && (!errors.As(err, &damage) || damage.Pack != key) || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("%d bytes, %v", n, err)
			}
			w.pieces[e.Content] = sound // the error is not kept either
			readAll(t, r, &e, data, 100_000)
		})
	}
}

func TestPiecesOutOfOrderAreInvalid(t *testing.T) {
	w, e, _ := damaged(t)
	sound := w.pieces[e.Content]
	for name, c := range map[string][]int64{"overlap": {0, 299_999, 600_000}, "negative": {-1, 300_000, 600_000}, "overflow": {0, 300_000, 1<<63 - 5}} {
		w.pieces[e.Content] = slices.Clone(sound)
		for i, off := range c {
			w.pieces[e.Content][i].Offset = off
		}
		r := w.reader(Options{})
		if n, err := r.ReadAt(t.Context(), &e, make([]byte, 900_000), 0); n != 0 || !errors.Is(err, catalog.ErrInvalid) {
			t.Errorf("%s: %d bytes, %v", name, n, err)
		}
	}
}

func TestAMissingPackIsAnErrorUntilItIsThere(t *testing.T) {
	w, e, data := damaged(t)
	sound := maps.Clone(w.objects)
	clear(w.objects)
	r := w.reader(Options{})
	if n, err := r.ReadAt(t.Context(), &e, make([]byte, 10), 0); n != 0 || err == nil {
		t.Fatalf("%d bytes, %v", n, err)
	}
	maps.Copy(w.objects, sound)
	readAll(t, r, &e, data, 100_000)
}

func TestLargeSegmentsAreReadInParts(t *testing.T) {
	w := newWorld(t)
	data := noise(40<<20, 1)
	e := w.large("fixed", int64(len(data)), 40<<20, span{0, data}) // one chunk, one segment, ten blocks
	w.ready()
	r := w.reader(Options{MemoryBytes: 16 << 20})
	readAll(t, r, &e, data, 1<<20)
	if n := w.bytes.Load(); n > 44<<20 {
		t.Errorf("%d bytes were read of 40 MiB", n)
	}
}
