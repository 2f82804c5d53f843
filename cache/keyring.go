package cache

import (
	"sync"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/s3store/seal"
	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// opener is what the cache needs of the formats and the keys.
type opener interface {
	// open decrypts and decompresses a segment and appends its plaintext of length bytes to dst.
	open(dst []byte, id catalog.PackID, number uint32, sealed []byte, length uint32) ([]byte, error)
	hash(plain []byte) catalog.Hash
	object(id catalog.PackID) string // the key of a pack in the store
}

// boxes is for how many packs the derived key is kept.
const boxes = 128

// keyring opens segments with the repository's keys.
type keyring struct {
	keys *seal.Keys
	mu   sync.Mutex
	lru  *simplelru.LRU[catalog.PackID, *seal.Box]
}

func newKeyring(keys *seal.Keys) *keyring {
	lru, err := simplelru.NewLRU[catalog.PackID, *seal.Box](boxes, nil)
	if err != nil {
		panic(err) // boxes is positive
	}
	return &keyring{keys: keys, lru: lru}
}

func (k *keyring) box(id catalog.PackID) *seal.Box {
	k.mu.Lock()
	defer k.mu.Unlock()
	if box, ok := k.lru.Get(id); ok {
		return box
	}
	box := pack.SegmentBox(k.keys, id)
	k.lru.Add(id, box)
	return box
}

func (k *keyring) open(dst []byte, id catalog.PackID, number uint32, sealed []byte, length uint32) ([]byte, error) {
	return pack.OpenSegment(dst, k.box(id), number, sealed, length)
}

func (k *keyring) hash(plain []byte) catalog.Hash { return k.keys.HashChunk(plain) }

func (k *keyring) object(id catalog.PackID) string { return pack.Key(id) }
