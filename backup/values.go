package backup

import (
	"context"
	"fmt"
	"sync"

	"github.com/bus3/bus3/backup/source"
	"github.com/bus3/bus3/catalog"
)

// value is a small blob that rows share. Its ID is known from the catalog, or given by the assembler.
type value struct {
	id    catalog.ID // 0: no row has it yet
	hash  catalog.Hash
	bytes []byte
}

// values interns values: there is one *value for the same bytes, as long as it is remembered.
type values struct {
	cat    Known
	owners source.Owners

	mu      sync.Mutex
	newer   map[catalog.Hash]*value
	older   map[catalog.Hash]*value
	byOwner map[uint64]*value
}

func newValues(cat Known) *values {
	return &values{cat: cat, newer: make(map[catalog.Hash]*value), byOwner: make(map[uint64]*value)}
}

// of is the value of some bytes, nil for none.
func (v *values) of(ctx context.Context, bytes []byte) (*value, error) {
	if len(bytes) == 0 {
		return nil, nil
	}
	hash := catalog.HashValue(bytes)
	if known := v.remembered(hash); known != nil {
		return known, nil
	}
	made := &value{hash: hash, bytes: bytes}
	var ids [1]catalog.ID
	if err := v.cat.KnownValues(ctx, []catalog.Hash{hash}, ids[:]); err != nil {
		return nil, fmt.Errorf("ask the catalog for attributes: %w", err)
	}
	made.id = ids[0]
	v.mu.Lock()
	defer v.mu.Unlock()
	if known := v.newer[hash]; known != nil { // somebody was faster
		return known, nil
	}
	if len(v.newer) >= knownValues {
		v.older, v.newer = v.newer, make(map[catalog.Hash]*value, knownValues)
	}
	v.newer[hash] = made
	return made, nil
}

func (v *values) remembered(hash catalog.Hash) *value {
	v.mu.Lock()
	defer v.mu.Unlock()
	if known := v.newer[hash]; known != nil {
		return known
	}
	known := v.older[hash]
	if known != nil {
		v.newer[hash] = known
	}
	return known
}

// owner is the value of the names of a user and a group, nil if they have none.
func (v *values) owner(ctx context.Context, uid, gid uint32) (*value, error) {
	key := uint64(uid)<<32 | uint64(gid)
	v.mu.Lock()
	known, found := v.byOwner[key]
	v.mu.Unlock()
	if found {
		return known, nil
	}
	made, err := v.of(ctx, catalog.EncodeOwner(v.owners.Names(uid, gid)))
	if err != nil {
		return nil, err
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.byOwner) < knownValues {
		v.byOwner[key] = made
	}
	return made, nil
}
