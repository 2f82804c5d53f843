package docs

import (
	"encoding/binary"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"github.com/zeebo/blake3"
)

func (p pack) key() string {
	name := hex.EncodeToString(p.name)
	return "packs/" + name[:2] + "/" + name
}

// tree is what is visible in a scan, by path; the root is ".".
func (r *reader) tree(number int64) map[string]*entry {
	r.t.Helper()
	children, root := map[int64][]*entry{}, int64(-1)
	for _, e := range r.entries {
		if e.source != r.scans[number].source || e.id>>36 > number || e.last >= 0 && e.last < number {
			continue
		}
		if e.dir == 0 {
			root = e.ino
		}
		children[e.dir] = append(children[e.dir], e)
	}
	paths := map[string]*entry{}
	var walk func(dir int64, path string)
	walk = func(dir int64, path string) {
		for _, e := range children[dir] {
			p := filepath.Join(path, e.name)
			if paths[p] != nil {
				r.t.Fatalf("scan %d has %q twice", number, p)
			}
			paths[p] = e
			if e.kind == kindDirectory && e.dir != 0 {
				walk(e.ino, p)
			}
		}
	}
	walk(0, ".")
	walk(root, ".")
	return paths
}

// data is what is in a file.
func (r *reader) data(e *entry) []byte {
	r.t.Helper()
	out := make([]byte, e.size)
	if e.chunk != 0 {
		copy(out, r.chunk(e.chunk))
	}
	for _, p := range r.pieces[e.content] {
		copy(out[p.offset:], r.chunk(p.chunk))
	}
	return out
}

func (r *reader) chunk(id int64) []byte {
	r.t.Helper()
	k := r.chunks[id]
	s := r.segments[k.segment]
	p := r.packs[s.pack]
	object := r.object(p.key())
	r.after("bus3pak\x01", object)
	plain := r.segment(p.name, s.number, object[s.offset:s.offset+int64(s.sealedSize)], s.plaintexts)
	plain = plain[k.offset : k.offset+int64(k.length)]
	if r.hash(plain) != k.hash {
		r.t.Fatalf("chunk %x has another hash", id)
	}
	return plain
}

func (r *reader) segment(pack []byte, number uint64, sealed []byte, size uint64) []byte {
	r.t.Helper()
	plain := r.open(1, pack, number, sealed, binary.LittleEndian.AppendUint32(nil, uint32(size)))
	if uint64(len(sealed)) != size+16 {
		plain = r.frame(plain)
	}
	if uint64(len(plain)) != size {
		r.t.Fatalf("a segment has %d bytes, not %d", len(plain), size)
	}
	return plain
}

func (r *reader) xattrs(e *entry) map[string]string {
	set := map[string]string{}
	if e.attributes == 0 {
		return set
	}
	c := &column{t: r.t, rest: r.after("x", r.values[e.attributes])}
	for len(c.rest) > 0 {
		name := string(c.bytes(c.uvarint()))
		set[name] = string(c.bytes(c.uvarint()))
	}
	return set
}

// checkDirectories reads the directory of each pack, and with it all segments and chunks: the journal must tell the same.
func (r *reader) checkDirectories() {
	r.t.Helper()
	told := map[[32]byte]bool{}
	for _, c := range r.chunks {
		told[c.hash] = true
	}
	names, err := filepath.Glob(filepath.Join(r.store, "packs/??/*"))
	check(r.t, err)
	if len(names) == 0 {
		r.t.Fatal("there are no packs")
	}
	for _, file := range names {
		name, err := hex.DecodeString(filepath.Base(file))
		check(r.t, err)
		object, err := os.ReadFile(file)
		check(r.t, err)
		for _, hash := range r.directory(name, object) {
			if !told[hash] {
				r.t.Errorf("pack %x has a chunk that the journal does not tell of", name)
			}
		}
	}
}

// directory reads a pack by its directory alone, and returns the hashes of its chunks.
func (r *reader) directory(name, object []byte) [][32]byte {
	r.t.Helper()
	tail := object[len(object)-8:]
	r.after("b3p\x01", tail[4:])
	start := len(object) - 8 - int(binary.LittleEndian.Uint32(tail))
	c := &column{t: r.t, rest: r.inflate(r.open(2, name, 0, object[start:len(object)-8], nil))}
	_, packCounter, segments, chunks := c.uvarint(), int64(c.uvarint()), c.uvarint(), c.uvarint()
	type row struct {
		plain  []byte
		chunks uint64
	}
	var rows []row
	offset, number, counter := uint64(8), int64(-1), packCounter
	for range segments {
		counter += c.varint()
		number += c.varint() + 1
		sealed, plain := c.uvarint(), c.uvarint()
		rows = append(rows, row{r.segment(name, uint64(number), object[offset:offset+sealed], plain), c.uvarint()})
		offset += sealed
	}
	if offset != uint64(start) || counter <= 0 {
		r.t.Fatalf("the segments of pack %x end at %d, its directory begins at %d", name, offset, start)
	}
	var hashes [][32]byte
	for _, s := range rows {
		end := int64(0)
		for range s.chunks {
			c.varint() // its ID
			from := end + c.varint()
			end = from + int64(c.uvarint())
			hashes = append(hashes, r.hash(s.plain[from:end]))
		}
	}
	for i, hash := range hashes {
		if [32]byte(c.bytes(32)) != hash {
			r.t.Errorf("chunk number %d of pack %x has another hash", i, name)
		}
	}
	if uint64(len(hashes)) != chunks || len(c.rest) != 0 {
		r.t.Errorf("pack %x has %d chunks, its directory says %d, and goes on with %d bytes", name, len(hashes), chunks, len(c.rest))
	}
	return hashes
}

// cut is the sizes of the chunks of a file without holes, as format.md says.
func (r *reader) cut(data []byte) (sizes []int) {
	r.t.Helper()
	table, c := r.gearTable(), r.cutting
	mask := func(k int) (m uint64) {
		for i := range k {
			m |= 1 << (63 - i*(64/k))
		}
		return m
	}
	b := 0
	for 1<<b < c.normal {
		b++
	}
	strict, lenient := mask(b+2), mask(b-2)
	length := func(data []byte) int {
		n := min(len(data), c.max)
		h := uint64(0)
		for i := c.min; i < n; i++ {
			h = h<<1 + table[data[i]]
			m := lenient
			if i < c.normal {
				m = strict
			}
			if h&m == 0 {
				return i
			}
		}
		return n
	}
	if c.fixed != 0 {
		length = func(data []byte) int { return min(len(data), c.fixed) }
	}
	for len(data) > 0 {
		n := length(data)
		sizes = append(sizes, n)
		data = data[n:]
	}
	return sizes
}

// gearTable is the table in format.md, keyed.
func (r *reader) gearTable() (table [256]uint64) {
	r.t.Helper()
	page, err := os.ReadFile("format.md")
	check(r.t, err)
	numbers := regexp.MustCompile(`\b[0-9a-f]{16}\b`).FindAllString(string(page), -1)
	if len(numbers) != len(table) {
		r.t.Fatalf("the gear table has %d numbers", len(numbers))
	}
	h, err := blake3.NewKeyed(r.chunking)
	check(r.t, err)
	for _, s := range numbers {
		n, err := strconv.ParseUint(s, 16, 64)
		check(r.t, err)
		_, err = h.Write(binary.LittleEndian.AppendUint64(nil, n))
		check(r.t, err)
	}
	out := make([]byte, 8*len(table))
	_, err = h.Digest().Read(out)
	check(r.t, err)
	for i := range table {
		table[i] = binary.LittleEndian.Uint64(out[8*i:])
	}
	return table
}
