package repository

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime/debug"

	"filippo.io/age"
	"github.com/fxamacker/cbor/v2"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/seal"
)

const (
	keyMagic = "bus3key\x01" // the last byte is the version
	maxKey   = 64 << 10      // bytes of a wrapped key's object
)

// keyObject is what follows the magic: CBOR.
type keyObject struct {
	Wrapped []byte `cbor:"1,keyasint"` // an age file, binary: wireSecret
	Salt    []byte `cbor:"2,keyasint"` // 16 random bytes
	// About is a wireAbout, sealed with the keys of the repository together with the object's key and SHA-256 of Wrapped.
	// So whoever has opened the repository can read the labels of all its keys, and knows that they were added by
	// someone who had opened it too.
	About []byte `cbor:"3,keyasint"`
}

// wireSecret is what is wrapped.
type wireSecret struct {
	Repository []byte `cbor:"1,keyasint"`
	Master     []byte `cbor:"2,keyasint"`
	Min        int    `cbor:"3,keyasint"` // of Chunking
	Normal     int    `cbor:"4,keyasint"`
	Max        int    `cbor:"5,keyasint"`
	Fixed      int    `cbor:"6,keyasint"`
}

// wireAbout is what is to be known about a wrapped key without having the key.
type wireAbout struct {
	Label     []byte `cbor:"1,keyasint"`
	Kind      string `cbor:"2,keyasint"`
	Recipient string `cbor:"3,keyasint"`
	Created   int64  `cbor:"4,keyasint"` // ns since 1970
}

// wrapKey makes the object that opens the repository for w.
func wrapKey(w Wrap, s secret, created int64) ([]byte, error) {
	repo := s.master.Repository()
	plain, err := cbor.Marshal(wireSecret{
		Repository: repo[:], Master: s.master[:],
		Min: s.chunking.Min, Normal: s.chunking.Normal, Max: s.chunking.Max, Fixed: s.chunking.Fixed,
	})
	if err != nil {
		return nil, errors.New("the key cannot be encoded") // the cause might quote it
	}
	var file bytes.Buffer
	out, err := age.Encrypt(&file, w.to)
	if err != nil {
		return nil, err
	}
	if _, err := out.Write(plain); err != nil {
		return nil, err
	}
	if err := out.Close(); err != nil {
		return nil, err
	}
	forgetScrypt(w.recipient == "")
	return sealAbout(w, s, file.Bytes(), created)
}

func sealAbout(w Wrap, s secret, wrapped []byte, created int64) ([]byte, error) {
	about, err := cbor.Marshal(wireAbout{Label: []byte(w.label), Kind: w.kind, Recipient: w.recipient, Created: created})
	if err != nil {
		return nil, err
	}
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails
	box, extra := aboutBox(seal.NewKeys(s.master, s.master.Repository()), w.key, salt, wrapped)
	object, err := cbor.Marshal(keyObject{Wrapped: wrapped, Salt: salt, About: box.Seal(nil, 0, about, extra)})
	if err != nil {
		return nil, err
	}
	return append([]byte(keyMagic), object...), nil
}

// aboutBox is the box of wireAbout, and what is authenticated with it.
func aboutBox(keys *seal.Keys, key string, salt, wrapped []byte) (box *seal.Box, extra []byte) {
	sum := sha256.Sum256(wrapped)
	return keys.Box(seal.KeyLabel, [16]byte(salt)), append(sum[:], key...)
}

// parseKey takes the object of a wrapped key apart. Nothing is authenticated yet.
func parseKey(object []byte) (*keyObject, error) {
	data, ok := bytes.CutPrefix(object, []byte(keyMagic))
	if !ok {
		return nil, fmt.Errorf("it is no wrapped key of version %d", keyMagic[len(keyMagic)-1])
	}
	var k keyObject
	if err := unmarshal(data, &k); err != nil {
		return nil, err
	}
	if len(k.Salt) != 16 {
		return nil, errors.New("it has no salt")
	}
	return &k, nil
}

// open unwraps the key with an identity. If that is another one than it was wrapped for, wrongKey tells. About is not
// looked at: nobody shall be locked out by a damaged label, and it protects nothing that the ID does not protect.
func (k *keyObject) open(u Unlock) (secret, error) {
	in, err := age.Decrypt(bytes.NewReader(k.Wrapped), u.identity)
	forgetScrypt(u.recipient == "")
	if err != nil {
		return secret{}, err
	}
	plain, err := io.ReadAll(io.LimitReader(in, maxKey))
	if err != nil {
		return secret{}, err
	}
	return parseSecret(plain)
}

// about reads what the object says about itself, once the repository is open.
func (k *keyObject) about(keys *seal.Keys, key string) (*wireAbout, error) {
	box, extra := aboutBox(keys, key, k.Salt, k.Wrapped)
	plain, err := box.Open(nil, 0, k.About, extra)
	if err != nil {
		return nil, errors.New("it was altered or exchanged, or is of another repository: it does not authenticate")
	}
	var about wireAbout
	return &about, unmarshal(plain, &about)
}

func parseSecret(plain []byte) (s secret, err error) {
	var w wireSecret
	if err := unmarshal(plain, &w); err != nil {
		return s, errors.New("what is wrapped is no key") // the cause might quote it
	}
	if copy(s.master[:], w.Master) != len(s.master) || len(w.Master) != len(s.master) {
		return s, errors.New("what is wrapped is no key")
	}
	if id := s.master.Repository(); !bytes.Equal(w.Repository, id[:]) {
		return s, catalog.Invalidf("the key is not that of the repository that it names")
	}
	s.chunking = Chunking{Min: w.Min, Normal: w.Normal, Max: w.Max, Fixed: w.Fixed}
	return s, s.chunking.Check()
}

// unmarshal reads CBOR of a few fields, strictly.
func unmarshal(data []byte, into any) error {
	mode, err := cbor.DecOptions{
		DupMapKey:         cbor.DupMapKeyEnforcedAPF,
		MaxNestedLevels:   4,
		MaxArrayElements:  16,
		MaxMapPairs:       16,
		IndefLength:       cbor.IndefLengthForbidden,
		TagsMd:            cbor.TagsForbidden,
		ExtraReturnErrors: cbor.ExtraDecErrorUnknownField,
	}.DecMode()
	if err != nil {
		return err
	}
	return mode.Unmarshal(data, into)
}

// forgetScrypt gives the memory of scrypt back at once. It is the largest block that a run ever allocates; left to
// itself, the collector would let the heap grow to twice as much before it looks again.
func forgetScrypt(used bool) {
	if used {
		debug.FreeOSMemory()
	}
}
