package docs

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"
	"github.com/fxamacker/cbor/v2"
	"github.com/klauspost/compress/zstd"
	"github.com/zeebo/blake3"
)

// reader is a repository that is read as format.md says. What is not as it says fails the test.
type reader struct {
	t          *testing.T
	store      string // directory
	repository []byte
	objects    []byte
	chunking   []byte
	chunkHash  []byte
	cutting    struct{ min, normal, max, fixed int }
	*history
}

// openStore opens the repository in a directory with a file that holds an age identity, and reads its journal.
func openStore(t *testing.T, store, keyFile string) *reader {
	t.Helper()
	r := &reader{t: t, store: store, history: newHistory()}
	file, err := os.ReadFile(keyFile)
	check(t, err)
	identities, err := age.ParseIdentities(bytes.NewReader(file))
	check(t, err)
	identity := identities[0].(*age.X25519Identity)
	r.unlock(identity)
	if marker := string(r.object("bus3-repository")); marker != "bus3 repository 1 "+hex.EncodeToString(r.repository)+"\n" {
		t.Fatalf("the marker is %q", marker)
	}
	r.readJournal()
	return r
}

func (r *reader) object(key string) []byte {
	r.t.Helper()
	data, err := os.ReadFile(filepath.Join(r.store, key))
	check(r.t, err)
	return data
}

func (r *reader) unlock(identity *age.X25519Identity) {
	r.t.Helper()
	sum := sha256.Sum256([]byte("bus3 key\n" + identity.Recipient().String()))
	name := "keys/r-" + hex.EncodeToString(sum[:16])
	wrapped := r.fields(r.after("bus3key\x01", r.object(name)))
	file, salt := field[[]byte](r, wrapped, 1), field[[]byte](r, wrapped, 2)
	in, err := age.Decrypt(bytes.NewReader(file), identity)
	check(r.t, err)
	plain, err := io.ReadAll(in)
	check(r.t, err)
	secret := r.fields(plain)
	r.derive(field[[]byte](r, secret, 2))
	if !bytes.Equal(r.repository, field[[]byte](r, secret, 1)) {
		r.t.Fatal("the repository ID does not follow from the master key")
	}
	c := &r.cutting
	for i, n := range []*int{&c.min, &c.normal, &c.max, &c.fixed} {
		*n = field[int](r, secret, 3+uint64(i))
	}
	digest := sha256.Sum256(file)
	about := r.fields(r.open(4, salt, 0, field[[]byte](r, wrapped, 3), append(digest[:], name...)))
	if kind, recipient := field[string](r, about, 2), field[string](r, about, 3); kind != "age" || recipient != identity.Recipient().String() {
		r.t.Fatalf("the key says that it is %s, %s", kind, recipient)
	}
}

func (r *reader) derive(master []byte) {
	expand := func(secret []byte, info string, n int) []byte {
		out, err := hkdf.Expand(sha256.New, secret, info, n)
		check(r.t, err)
		return out
	}
	first, err := hkdf.Extract(sha256.New, master, nil)
	check(r.t, err)
	r.repository = expand(first, "bus3 v1 repository id", 16)
	root, err := hkdf.Extract(sha256.New, master, r.repository)
	check(r.t, err)
	r.objects = expand(root, "bus3 v1 objects", 32)
	r.chunking = expand(root, "bus3 v1 chunking", 32)
	r.chunkHash = expand(root, "bus3 v1 chunk hash", 32)
}

// open opens what is sealed in a box.
func (r *reader) open(kind byte, object []byte, number uint64, sealed, extra []byte) []byte {
	r.t.Helper()
	about := append(append([]byte{1, kind}, r.repository...), object...)
	key, err := hkdf.Expand(sha256.New, r.objects, "bus3 v1 object "+string(about), 32)
	check(r.t, err)
	block, err := aes.NewCipher(key)
	check(r.t, err)
	aead, err := cipher.NewGCM(block)
	check(r.t, err)
	nonce := binary.BigEndian.AppendUint64(make([]byte, 4), number)
	plain, err := aead.Open(nil, nonce, sealed, append(about, extra...))
	check(r.t, err)
	return plain
}

// inflate reads uvarint n and the n bytes that are compressed behind it.
func (r *reader) inflate(data []byte) []byte {
	r.t.Helper()
	c := &column{t: r.t, rest: data}
	n := c.uvarint()
	out := c.rest[1:]
	switch method := c.rest[0]; method {
	case 0:
	case 1:
		out = r.frame(out)
	default:
		r.t.Fatalf("compression method %d", method)
	}
	if uint64(len(out)) != n {
		r.t.Fatalf("%d bytes, not %d", len(out), n)
	}
	return out
}

func (r *reader) frame(data []byte) []byte {
	r.t.Helper()
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	check(r.t, err)
	defer d.Close()
	out, err := d.DecodeAll(data, nil)
	check(r.t, err)
	return out
}

func (r *reader) hash(plain []byte) (sum [32]byte) {
	h, err := blake3.NewKeyed(r.chunkHash)
	check(r.t, err)
	_, err = h.Write(plain)
	check(r.t, err)
	return [32]byte(h.Sum(nil))
}

// after is what follows the magic.
func (r *reader) after(magic string, data []byte) []byte {
	r.t.Helper()
	rest, ok := bytes.CutPrefix(data, []byte(magic))
	if !ok {
		r.t.Fatalf("%q does not begin with %q", data[:min(len(data), 20)], magic)
	}
	return rest
}

// fields is a CBOR map with integers as keys.
type fields map[uint64]cbor.RawMessage

func (r *reader) fields(data []byte) fields {
	r.t.Helper()
	var m fields
	check(r.t, cbor.Unmarshal(data, &m))
	return m
}

// field is a field of a map; the zero value if there is none.
func field[T any](r *reader, m fields, key uint64) (value T) {
	r.t.Helper()
	if data, ok := m[key]; ok {
		check(r.t, cbor.Unmarshal(data, &value))
	}
	return value
}
