package check

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/s3store/repository"
)

// held is a pack that the catalog knows.
type held struct {
	id   catalog.ID
	size int64
}

// objects holds the listing of the store to the packs that the catalog knows.
func (c *checker) objects(ctx context.Context) error {
	needed, err := c.neededPacks(ctx)
	if err != nil {
		return err
	}
	wrong := map[catalog.PackID]s3store.Object{}
	present := map[catalog.PackID]bool{}
	err = c.store.List(ctx, "", "", func(o s3store.Object) error {
		id, ok := pack.ParseKey(o.Key)
		if !ok {
			c.other(o)
			return nil
		}
		present[id] = true
		switch p, known := needed[id]; {
		case !known:
			c.found(Finding{
				Severity: Garbage, Kind: Unused, Key: o.Key, Scan: -1, Bytes: o.Size,
				Message: "no backup needs it: it was left by one that was interrupted, or one that is running has just written it",
			})
		case p.size != o.Size:
			wrong[id] = o
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the store: %w", err)
	}
	for _, id := range sortedKeys(wrong) {
		o := wrong[id]
		if err := c.bad(ctx, PackSize, id, needed[id], fmt.Sprintf("has %d bytes, it should have %d", o.Size, needed[id].size)); err != nil {
			return err
		}
	}
	for _, id := range sortedKeys(needed) {
		if !present[id] {
			if err := c.bad(ctx, PackMissing, id, needed[id], "is missing"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (c *checker) neededPacks(ctx context.Context) (map[catalog.PackID]held, error) {
	needed := map[catalog.PackID]held{}
	err := c.cat.EachPack(ctx, func(p *catalog.Pack, _ int64) error {
		needed[p.Key] = held{p.ID, p.Size}
		c.report.Packs++
		c.report.PackBytes += p.Size
		return nil
	})
	return needed, err
}

// other judges an object that is no pack.
func (c *checker) other(o s3store.Object) {
	if _, _, ok := repository.ParseJournalKey(o.Key); ok || o.Key == repository.Marker || strings.HasPrefix(o.Key, repository.KeysPrefix) {
		return
	}
	c.found(Finding{Severity: Garbage, Kind: Foreign, Key: o.Key, Scan: -1, Bytes: o.Size, Message: "it is no object of bus3"})
}

// bad reports a pack that the store does not have as it should, with the files that need it.
func (c *checker) bad(ctx context.Context, kind Kind, id catalog.PackID, p held, what string) error {
	var chunks []catalog.ID
	err := c.cat.EachPlace(ctx, p.id, func(place *catalog.Place) error {
		chunks = append(chunks, place.Chunk)
		return nil
	})
	if err != nil {
		return err
	}
	return c.damaged(ctx, kind, id, p.id, what, chunks)
}

// damaged reports a fault of a pack that touches those chunks of it.
func (c *checker) damaged(ctx context.Context, kind Kind, key catalog.PackID, id catalog.ID, what string, chunks []catalog.ID) error {
	f := Finding{Severity: Fault, Kind: kind, Key: pack.Key(key), Scan: id.Scan()}
	if err := c.touched(ctx, &f, chunks); err != nil {
		return err
	}
	f.Message = fmt.Sprintf("pack %s, written by scan %d, %s; %d files need what is lost", f.Key, f.Scan, what, f.Files)
	c.found(f)
	return nil
}

// sortedKeys is for findings that come in the same order each time.
func sortedKeys[V any](m map[catalog.PackID]V) []catalog.PackID {
	return slices.SortedFunc(maps.Keys(m), func(a, b catalog.PackID) int { return strings.Compare(string(a[:]), string(b[:])) })
}
