package seal

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/bus3/bus3/catalog"
)

// ErrDamaged says that sealed or compressed bytes are not what was made with these keys, for this place: altered,
// truncated, exchanged, or sealed under another key.
var ErrDamaged = errors.New("the data is damaged or not of this place")

// Kind is what a sealed object, or a part of one, is. Each kind has keys of its own.
type Kind byte

// The kinds. Their numbers are part of the format.
const (
	PackSegment Kind = 1 + iota
	PackDirectory
	Journal
	KeyLabel
)

const (
	// Overhead is by how many bytes sealed data is longer than its plaintext.
	Overhead = 16
	// version of the format, part of what is authenticated.
	version = 1

	nonceSize = 12
)

// Box seals the parts of one object, each under a number of its own: AES-256-GCM, the nonce is the number. The number
// must not be used for two plaintexts. A box is safe for concurrent use, by any number of goroutines.
type Box struct {
	aead    cipher.AEAD
	about   []byte // authenticated with everything in the box: version, kind, repository, object
	scratch sync.Pool
}

// scratch holds a nonce and authenticated data where escape analysis would put them on the heap each time.
type scratch struct {
	nonce [nonceSize]byte
	about []byte
}

// Box makes the box of an object. The object's ID must be unique among those of its kind: random, or a digest of
// something random.
func (k *Keys) Box(kind Kind, object [16]byte) *Box {
	about := append([]byte{version, byte(kind)}, k.repository[:]...)
	about = append(about, object[:]...)
	block, err := aes.NewCipher(expand(k.objects, "bus3 v1 object "+string(about), 32))
	if err != nil {
		panic(err) // only a key of a wrong length is refused
	}
	aead, err := cipher.NewGCM(block)
	if err != nil {
		panic(err) // only a block of another size than 16 is refused
	}
	b := &Box{aead: aead, about: about}
	b.scratch.New = func() any { return new(scratch) }
	return b
}

// Repository is the repository that what b opens and seals is bound to.
func (b *Box) Repository() catalog.RepositoryID { return catalog.RepositoryID(b.about[2:18]) }

// Seal appends plain, encrypted and authenticated together with extra, to dst. plain may be dst[len(dst):] of the
// caller, exactly: then it is encrypted in place.
func (b *Box) Seal(dst []byte, number uint64, plain, extra []byte) []byte {
	s := b.prepare(number, extra)
	out := b.aead.Seal(dst, s.nonce[:], plain, s.about)
	b.scratch.Put(s)
	return out
}

// Open appends the plaintext of sealed to dst, or fails with ErrDamaged, leaving dst as it was.
func (b *Box) Open(dst []byte, number uint64, sealed, extra []byte) ([]byte, error) {
	s := b.prepare(number, extra)
	out, err := b.aead.Open(dst, s.nonce[:], sealed, s.about)
	b.scratch.Put(s)
	if err != nil {
		return dst, fmt.Errorf("%w: it does not authenticate", ErrDamaged)
	}
	return out, nil
}

func (b *Box) prepare(number uint64, extra []byte) *scratch {
	s := b.scratch.Get().(*scratch)
	binary.BigEndian.PutUint64(s.nonce[nonceSize-8:], number)
	s.about = append(append(s.about[:0], b.about...), extra...)
	return s
}
