package cut

import (
	"math/bits"

	chunkers "github.com/PlakarKorp/go-cdc-chunkers"
	"github.com/PlakarKorp/go-cdc-chunkers/chunkers/fastcdc"
)

// gear finds the cuts of keyed FastCDC (Xia et al., USENIX ATC 2016), the same that go-cdc-chunkers finds as "fastcdc-v1.0.0".
// The table and its key derivation are the library's; the loop is our own, twice as fast, since it takes four
// bytes in one step of the rolling hash.
type gear struct {
	min, normal     int
	strict, lenient uint64 // masks before and behind normal
	table           *[256]uint64
}

// level is by how many bits the masks differ from those of plain content-defined chunking.
const level = 2

func newGear(p *Params) (*gear, error) {
	var library fastcdc.FastCDC
	key := p.Key
	if err := library.Setup(&chunkers.ChunkerOpts{MinSize: p.Min, NormalSize: p.Normal, MaxSize: p.Max, Key: key[:]}); err != nil {
		return nil, err
	}
	order := bits.Len(uint(p.Normal)) - 1
	return &gear{min: p.Min, normal: p.Normal, strict: spread(order + level), lenient: spread(order - level), table: library.G}, nil
}

// spread is a mask of so many bits, evenly from the highest down.
func spread(count int) uint64 {
	if count <= 0 {
		return 0
	}
	var mask uint64
	for i := range count {
		mask |= 1 << (63 - i*(64/count))
	}
	return mask
}

// cut is the length of the chunk that data begins with. data is as long as the largest chunk, unless the file ends before.
func (g *gear) cut(data []byte) int {
	if len(data) <= g.min {
		return len(data)
	}
	normal := min(len(data), g.normal)
	n, hash, found := g.scan(data[g.min:normal], 0, g.strict)
	if found || normal == len(data) {
		return g.min + n
	}
	n, _, _ = g.scan(data[normal:], hash, g.lenient)
	return normal + n
}

// scan rolls the hash over p until it has no bit of the mask. n is the number of bytes before the one where it did so.
func (g *gear) scan(p []byte, hash, mask uint64) (n int, after uint64, found bool) {
	t, all := g.table, len(p)
	for len(p) >= 4 {
		a := t[p[0]]
		b := a<<1 + t[p[1]]
		c := b<<1 + t[p[2]]
		d := c<<1 + t[p[3]]
		switch n := all - len(p); {
		case (hash<<1+a)&mask == 0:
			return n, 0, true
		case (hash<<2+b)&mask == 0:
			return n + 1, 0, true
		case (hash<<3+c)&mask == 0:
			return n + 2, 0, true
		case (hash<<4+d)&mask == 0:
			return n + 3, 0, true
		}
		hash = hash<<4 + d
		p = p[4:]
	}
	for i, b := range p {
		if hash = hash<<1 + t[b]; hash&mask == 0 {
			return all - len(p) + i, 0, true
		}
	}
	return all, hash, false
}
