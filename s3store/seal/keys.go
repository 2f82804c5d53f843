// Package seal turns plaintext into bytes that tell a store nothing, and back: the keys of a repository, the digests of
// chunks, compression and authenticated encryption. It does no I/O.
//
// Everything is derived from one master key of 32 random bytes by HKDF-SHA256 (RFC 5869); docs/format.md has the labels.
// An object is encrypted under a key of its own, derived from its kind and its ID, so a nonce is unique if it is unique
// within the object.
package seal

import (
	"crypto/hkdf"
	"crypto/sha256"
	"fmt"
	"io"
	"sync"

	"github.com/zeebo/blake3"

	"github.com/bus3/bus3/catalog"
)

// Master is the secret that a repository stands on: whoever has it reads everything. It prints as a placeholder.
type Master [32]byte

// Format keeps the secret out of messages and logs, whatever the verb.
func (Master) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[master key]") }

// Repository is the ID of the repository that stands on m. Being derived from the master key, it stands for it: no
// other master key can be passed off as that of a repository whose ID is known.
func (m Master) Repository() catalog.RepositoryID {
	return catalog.RepositoryID(expand(extract(m[:], nil), "bus3 v1 repository id", 16))
}

// Keys are the keys of one repository. They are safe for concurrent use.
type Keys struct {
	repository catalog.RepositoryID
	chunking   [32]byte
	objects    []byte // pseudorandom key from which those of objects are expanded
	hashers    sync.Pool
}

// hasher is a keyed BLAKE3 state with room for its result, so that a digest costs no allocation.
type hasher struct {
	state *blake3.Hasher
	sum   [32]byte
}

// NewKeys derives the keys of a repository.
func NewKeys(m Master, repo catalog.RepositoryID) *Keys {
	root := extract(m[:], repo[:])
	k := &Keys{repository: repo, objects: expand(root, "bus3 v1 objects", 32)}
	copy(k.chunking[:], expand(root, "bus3 v1 chunking", 32))
	hashKey := expand(root, "bus3 v1 chunk hash", 32)
	k.hashers.New = func() any {
		h, err := blake3.NewKeyed(hashKey)
		if err != nil {
			panic(err) // only a key of another length than 32 is refused
		}
		return &hasher{state: h}
	}
	return k
}

// Format keeps the secrets out of messages and logs, whatever the verb.
func (k *Keys) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, "[keys of repository "+k.repository.String()+"]")
}

// Repository is the repository that the keys belong to.
func (k *Keys) Repository() catalog.RepositoryID { return k.repository }

// HashChunk is the name of a chunk: keyed BLAKE3-256 of its plaintext.
func (k *Keys) HashChunk(p []byte) catalog.Hash {
	h := k.hashers.Get().(*hasher)
	h.state.Reset()
	_, _ = h.state.Write(p) // never fails
	h.state.Sum(h.sum[:0])
	sum := catalog.Hash(h.sum)
	k.hashers.Put(h)
	return sum
}

// ChunkingKey is the key of content-defined chunking: without it the lengths of chunks tell nothing about a file.
func (k *Keys) ChunkingKey() [32]byte { return k.chunking }

func extract(secret, salt []byte) []byte {
	prk, err := hkdf.Extract(sha256.New, secret, salt)
	if err != nil {
		panic(err) // only keys too short for FIPS mode are refused, and ours have 32 bytes
	}
	return prk
}

func expand(prk []byte, info string, length int) []byte {
	key, err := hkdf.Expand(sha256.New, prk, info, length)
	if err != nil {
		panic(err) // only a length beyond 255 digests is refused
	}
	return key
}
