package seal_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/seal"
)

// master is the same in all tests, and in the golden file.
func master() (m seal.Master) {
	for i := range m {
		m[i] = byte(i)
	}
	return m
}

func keys() *seal.Keys { return seal.NewKeys(master(), master().Repository()) }

func noise(n int) []byte {
	p := make([]byte, n)
	r := rand.NewChaCha8([32]byte{1})
	_, _ = r.Read(p)
	return p
}

func text(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	words := strings.Fields("the quick brown fox jumps over a lazy dog while 4711 other files wait in /usr/share to be read and kept")
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "%s %d ", words[r.IntN(len(words))], r.IntN(1000))
	}
	return b.Bytes()[:n]
}

func TestFormatIsThatOfTheGoldenFile(t *testing.T) {
	k := keys()
	chunking := k.ChunkingKey()
	object := [16]byte{0: 0xaa, 15: 0x55}
	sealed := k.Box(seal.Journal, object).Seal(nil, 7, []byte("plaintext"), []byte("extra"))
	got := strings.Join([]string{
		"repository " + k.Repository().String(),
		"chunking   " + hex.EncodeToString(chunking[:]),
		"chunk hash " + k.HashChunk([]byte("a chunk")).String(),
		"box        " + hex.EncodeToString(sealed),
		"stored     " + hex.EncodeToString(seal.Compress(nil, []byte("abc"), seal.Off)),
		"",
	}, "\n")
	want, err := os.ReadFile(filepath.Join("testdata", "v1.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
		t.Error(diff)
	}
}

// The bytes of a compressor may differ from one of its releases to the next. What it once wrote must stay readable.
func TestOldFramesStayReadable(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("testdata", "v1.zstd"))
	if err != nil {
		t.Fatal(err)
	}
	got, err := seal.Decompress(nil, data, 5000)
	if err != nil || !bytes.Equal(got, bytes.Repeat([]byte("bus3!"), 1000)) {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
}

func TestRepositoriesShareNothing(t *testing.T) {
	a := seal.NewKeys(master(), catalog.RepositoryID{1})
	b := seal.NewKeys(master(), catalog.RepositoryID{2})
	if a.HashChunk(nil) == b.HashChunk(nil) || a.ChunkingKey() == b.ChunkingKey() {
		t.Error("two repositories have keys in common")
	}
	other := master()
	other[0]++
	if other.Repository() == master().Repository() {
		t.Error("two master keys are of one repository")
	}
}

func TestHashesOfConcurrentCallers(t *testing.T) {
	k := keys()
	p := noise(100_000)
	want := make([]catalog.Hash, 50)
	for i := range want {
		want[i] = k.HashChunk(p[:i*2000])
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for i := range want {
				if k.HashChunk(p[:i*2000]) != want[i] {
					t.Errorf("another hash of %d bytes", i*2000)
				}
			}
		})
	}
	wg.Wait()
}

func TestBoxOpensOnlyWhatWasSealedThere(t *testing.T) {
	k, object := keys(), [16]byte{1}
	box := k.Box(seal.PackSegment, object)
	sealed := box.Seal([]byte("before"), 3, []byte("secret"), []byte("x"))
	if !bytes.HasPrefix(sealed, []byte("before")) || len(sealed) != 6+6+seal.Overhead {
		t.Fatalf("sealed as %q", sealed)
	}
	sealed = sealed[6:]
	got, err := box.Open([]byte("a "), 3, sealed, []byte("x"))
	if string(got) != "a secret" || err != nil {
		t.Fatalf("opened as %q, %v", got, err)
	}
	other := master()
	other[31]++
	flipped := bytes.Clone(sealed)
	flipped[2] ^= 1
	for name, open := range map[string]func() ([]byte, error){
		"number": func() ([]byte, error) { return box.Open(nil, 4, sealed, []byte("x")) },
		"extra":  func() ([]byte, error) { return box.Open(nil, 3, sealed, nil) },
		"kind":   func() ([]byte, error) { return k.Box(seal.PackDirectory, object).Open(nil, 3, sealed, []byte("x")) },
		"object": func() ([]byte, error) { return k.Box(seal.PackSegment, [16]byte{2}).Open(nil, 3, sealed, []byte("x")) },
		"repository": func() ([]byte, error) {
			return seal.NewKeys(master(), catalog.RepositoryID{}).Box(seal.PackSegment, object).Open(nil, 3, sealed, []byte("x"))
		},
		"master": func() ([]byte, error) {
			return seal.NewKeys(other, k.Repository()).Box(seal.PackSegment, object).Open(nil, 3, sealed, []byte("x"))
		},
		"flipped":   func() ([]byte, error) { return box.Open(nil, 3, flipped, []byte("x")) },
		"truncated": func() ([]byte, error) { return box.Open(nil, 3, sealed[:len(sealed)-1], []byte("x")) },
		"empty":     func() ([]byte, error) { return box.Open(nil, 3, nil, []byte("x")) },
	} {
		if got, err := open(); !errors.Is(err, seal.ErrDamaged) || len(got) != 0 {
			t.Errorf("%s: opened as %q, %v", name, got, err)
		}
	}
}

func TestBoxSealsInPlace(t *testing.T) {
	box := keys().Box(seal.Journal, [16]byte{})
	buf := append(make([]byte, 0, 100), "head"...)
	buf = append(buf, "plaintext"...)
	sealed := box.Seal(buf[:4], 0, buf[4:], nil)
	if &sealed[0] != &buf[0] {
		t.Error("it was moved")
	}
	if got, err := box.Open(nil, 0, sealed[4:], nil); string(got) != "plaintext" || err != nil {
		t.Errorf("opened as %q, %v", got, err)
	}
}

func TestCompressedComesBack(t *testing.T) {
	for _, plain := range [][]byte{nil, {0}, []byte("short"), text(300), text(100_000), text(3 << 20), noise(10), noise(1 << 20), make([]byte, 3<<20)} {
		for c := seal.Auto; c <= seal.Better; c++ {
			data := seal.Compress([]byte("before"), plain, c)[6:]
			got, err := seal.Decompress([]byte("a "), data, len(plain))
			if err != nil || !bytes.Equal(got[2:], plain) {
				t.Errorf("%d bytes at level %d: %d bytes, %v", len(plain), c, len(got)-2, err)
			}
			if len(data) > len(plain)+1 {
				t.Errorf("%d bytes at level %d became %d", len(plain), c, len(data))
			}
			for _, wrong := range []int{len(plain) + 1, len(plain) - 1, 0, -1} {
				if wrong == len(plain) {
					continue
				}
				if got, err := seal.Decompress(nil, data, wrong); !errors.Is(err, seal.ErrDamaged) || len(got) != 0 {
					t.Errorf("%d bytes at level %d taken for %d: %d, %v", len(plain), c, wrong, len(got), err)
				}
			}
		}
	}
}

// Each line differs from those before, but digits are few.
func TestTablesOfNumbersBecomeSmaller(t *testing.T) {
	var table []byte
	for i := range 20_000 {
		table = fmt.Appendln(table, i+1)
	}
	for _, c := range []seal.Compression{seal.Auto, seal.Fastest, seal.Default, seal.Better} {
		out, ok := seal.Shrink(nil, table, c)
		if !ok || len(out) > len(table)/2 {
			t.Errorf("%d bytes of numbers became %d at level %d", len(table), len(out), c)
		}
	}
}

func TestIncompressibleIsStored(t *testing.T) {
	for _, c := range []seal.Compression{seal.Auto, seal.Fastest, seal.Default, seal.Better} {
		dst := make([]byte, 3, 10)
		out, ok := seal.Shrink(dst, noise(1<<20), c)
		if ok || len(out) != len(dst) {
			t.Errorf("noise was compressed at level %d", c)
		}
	}
	if _, ok := seal.Shrink(nil, text(1000), seal.Off); ok {
		t.Error("it compresses when it is told not to")
	}
}

func TestFramesAllocateNoMoreThanAsked(t *testing.T) {
	bomb := seal.Compress(nil, make([]byte, 16<<20), seal.Fastest)
	dst := make([]byte, 0, 100)
	got, err := seal.Decompress(dst, bomb, 100)
	if !errors.Is(err, seal.ErrDamaged) || cap(got) != cap(dst) {
		t.Errorf("%d bytes of capacity, %v", cap(got), err)
	}
}

func TestMasterKeyDoesNotPrint(t *testing.T) {
	m := master()
	for _, format := range []string{"%v", "%s", "%x", "%#v", "%d", "%q", "%+v"} {
		if s := fmt.Sprintf(format, m) + fmt.Sprintf(format, struct{ M seal.Master }{m}) + fmt.Sprintf(format, &m); strings.Contains(s, "0102") || strings.Contains(s, "1 2 3") || strings.Contains(s, "0x1, 0x2") {
			t.Errorf("%s: %s", format, s)
		}
	}
}

func FuzzDecompress(f *testing.F) {
	f.Add(seal.Compress(nil, []byte("hello hello hello hello hello"), seal.Fastest), 29)
	f.Add(seal.Compress(nil, []byte("hello"), seal.Off), 5)
	f.Add([]byte{1, 0x28, 0xb5, 0x2f, 0xfd}, 10)
	f.Fuzz(func(t *testing.T, data []byte, length int) {
		if length > 1<<20 {
			return
		}
		got, err := seal.Decompress(nil, data, length)
		if err == nil && len(got) != length || err != nil && len(got) != 0 {
			t.Errorf("%d bytes instead of %d, %v", len(got), length, err)
		}
		if err != nil && !errors.Is(err, seal.ErrDamaged) {
			t.Error(err)
		}
	})
}

func BenchmarkHashChunk(b *testing.B) {
	k := keys()
	for _, size := range []int{4 << 10, 1 << 20} {
		p := noise(size)
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				k.HashChunk(p)
			}
		})
	}
}
