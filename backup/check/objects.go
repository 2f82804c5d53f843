package check

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store"
	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/s3store/repository"
)

// row is a pack that the catalog knows. Several rows may have one key: a pack that was taken over from an interrupted
// backup may also be known by the IDs that its writer gave it.
type row struct {
	key      catalog.PackID
	id       catalog.ID
	size     int64
	verified int64 // ns since 1970, 0 never
}

func byKey(a, b row) int {
	return cmp.Or(bytes.Compare(a.key[:], b.key[:]), cmp.Compare(a.id, b.id))
}

// knownPacks reads which packs the catalog knows: 48 bytes each.
func (c *checker) knownPacks(ctx context.Context) error {
	err := c.cat.EachPack(ctx, func(p *catalog.Pack, verified int64) error {
		c.packs = append(c.packs, row{p.Key, p.ID, p.Size, verified})
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the catalog's packs: %w", err)
	}
	slices.SortFunc(c.packs, byKey)
	for rows := range c.byKey() {
		c.report.Packs++
		c.report.PackBytes += rows[0].size
	}
	return nil
}

// byKey gives the rows of each pack, in the order in which the store lists them.
func (c *checker) byKey() func(yield func([]row) bool) {
	return func(yield func([]row) bool) {
		for start := 0; start < len(c.packs); {
			end := start + 1
			for end < len(c.packs) && c.packs[end].key == c.packs[start].key {
				end++
			}
			if !yield(c.packs[start:end]) {
				return
			}
			start = end
		}
	}
}

// objects holds the listing of the store to the packs that the catalog knows. Both are in the order of their keys.
func (c *checker) objects(ctx context.Context) error {
	var suspects []catalog.PackID // known, and not there as they should be
	var unknown []s3store.Object
	marked := false
	at := 0
	err := c.store.List(ctx, "", "", func(o s3store.Object) error {
		id, ok := pack.ParseKey(o.Key)
		if !ok {
			marked = marked || o.Key == repository.Marker
			c.other(o)
			return nil
		}
		for ; at < len(c.packs) && bytes.Compare(c.packs[at].key[:], id[:]) < 0; at++ {
			suspects = append(suspects, c.packs[at].key)
		}
		if at == len(c.packs) || c.packs[at].key != id {
			unknown = append(unknown, o)
			return nil
		}
		for ; at < len(c.packs) && c.packs[at].key == id; at++ {
			if c.packs[at].size != o.Size {
				suspects = append(suspects, id)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list the store: %w", err)
	}
	for ; at < len(c.packs); at++ {
		suspects = append(suspects, c.packs[at].key)
	}
	if !marked {
		c.found(Finding{
			Severity: Fault, Kind: MarkerMissing, Key: repository.Marker, Scan: -1,
			Message: "it is missing: without it, bus3 takes the store for empty where no key fits, and `bus3 init` would make another repository in it",
		})
	}
	return c.again(ctx, slices.Compact(suspects), unknown)
}

// again looks once more before it reports: at the store for packs that were not as they should be, and at the catalog for
// those that it did not know, and for whether it still knows the others.
func (c *checker) again(ctx context.Context, suspects []catalog.PackID, unknown []s3store.Object) error {
	if len(suspects)+len(unknown) == 0 {
		return nil
	}
	now := map[catalog.PackID]bool{}
	for _, id := range suspects {
		now[id] = false
	}
	for i := range unknown {
		id, _ := pack.ParseKey(unknown[i].Key)
		now[id] = false
	}
	err := c.cat.EachPack(ctx, func(p *catalog.Pack, _ int64) error {
		if _, asked := now[p.Key]; asked {
			now[p.Key] = true
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read the catalog's packs: %w", err)
	}
	for _, id := range suspects {
		if now[id] {
			if err := c.suspect(ctx, id); err != nil {
				return err
			}
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	promised, err := c.promised(ctx)
	if err != nil {
		return err
	}
	for i := range unknown {
		o := &unknown[i]
		if id, _ := pack.ParseKey(o.Key); !now[id] && !promised[id] {
			c.found(Finding{
				Severity: Garbage, Kind: Unused, Key: o.Key, Scan: -1, Bytes: o.Size,
				Message: "no backup needs it: one that was interrupted left it, or one that is running has just written it",
			})
		}
	}
	return nil
}

// suspect reports a pack that the store does not have as it should.
func (c *checker) suspect(ctx context.Context, id catalog.PackID) error {
	size := int64(-1)
	err := c.store.List(ctx, pack.Key(id), "", func(o s3store.Object) error {
		if o.Key == pack.Key(id) {
			size = o.Size
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("list %s: %w", pack.Key(id), err)
	}
	rows := c.rows(id)
	what, kind := "is missing", PackMissing
	if size >= 0 {
		if !slices.ContainsFunc(rows, func(r row) bool { return r.size != size }) {
			return nil
		}
		what, kind = fmt.Sprintf("has %d bytes, it should have %d", size, rows[0].size), PackSize
	}
	c.broken[id] = true
	chunks, err := c.chunks(ctx, rows)
	if err != nil {
		return err
	}
	return c.damaged(ctx, kind, rows, what, chunks)
}

// rows are those of one pack.
func (c *checker) rows(id catalog.PackID) []row {
	start, _ := slices.BinarySearchFunc(c.packs, id, func(r row, id catalog.PackID) int { return bytes.Compare(r.key[:], id[:]) })
	end := start
	for end < len(c.packs) && c.packs[end].key == id {
		end++
	}
	return c.packs[start:end]
}

// chunks are all that the catalog has in a pack.
func (c *checker) chunks(ctx context.Context, rows []row) (chunks []catalog.ID, err error) {
	for _, r := range rows {
		err = c.cat.EachPlace(ctx, r.id, func(place *catalog.Place) error {
			chunks = append(chunks, place.Chunk)
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("what is in pack %s: %w", r.key, err)
		}
	}
	return chunks, nil
}

// other judges an object that is no pack.
func (c *checker) other(o s3store.Object) {
	if _, _, ok := repository.ParseJournalKey(o.Key); ok || o.Key == repository.Marker || strings.HasPrefix(o.Key, repository.KeysPrefix) {
		return
	}
	c.found(Finding{Severity: Garbage, Kind: Foreign, Key: o.Key, Scan: -1, Bytes: o.Size, Message: "it is no object of bus3"})
}

// damaged reports a fault of a pack that touches those chunks of it.
func (c *checker) damaged(ctx context.Context, kind Kind, rows []row, what string, chunks []catalog.ID) error {
	f := Finding{Severity: Fault, Kind: kind, Key: pack.Key(rows[0].key), Scan: rows[0].id.Scan()}
	if err := c.touched(ctx, &f, chunks); err != nil {
		return err
	}
	f.Message = fmt.Sprintf("pack %s, written by scan %d, %s; %s", f.Key, f.Scan, what, needed(f.Files))
	c.found(f)
	if len(chunks) > 0 {
		c.remember(ctx, rows, broken)
	}
	return ctx.Err()
}

// broken stands for the time at which a pack was verified if it is not what it should be: the next backup stores again what
// was in it and is still there.
const broken = -1

func needed(files int64) string {
	switch files {
	case 0:
		return "no file needs what is lost"
	case 1:
		return "1 version of a file needs what is lost"
	}
	return fmt.Sprintf("%d versions of files need what is lost", files)
}
