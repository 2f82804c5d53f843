package backup

import "github.com/bus3/bus3/catalog"

// knownSet remembers the chunks that the run has made: at least the last knownChunks of them, at most twice as many.
// The catalog knows the older ones by then.
type knownSet struct {
	newer, older map[catalog.Hash]catalog.ID
}

func newKnownSet() *knownSet { return &knownSet{newer: make(map[catalog.Hash]catalog.ID)} }

// get is the chunk with that hash, or 0.
func (k *knownSet) get(hash *catalog.Hash) catalog.ID {
	if id := k.newer[*hash]; id != 0 {
		return id
	}
	return k.older[*hash]
}

func (k *knownSet) put(hash *catalog.Hash, id catalog.ID) {
	if len(k.newer) >= knownChunks {
		k.older, k.newer = k.newer, k.older
		if k.newer == nil {
			k.newer = make(map[catalog.Hash]catalog.ID, knownChunks)
		}
		clear(k.newer)
	}
	k.newer[*hash] = id
}
