package cut

import (
	"slices"
	"testing"
)

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
