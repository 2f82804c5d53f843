package fs

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"sync/atomic"

	"github.com/bus3/bus3/catalog"
)

const (
	block     = 4096    // what file systems round the size of files up to
	manyBytes = 1 << 30 // the pieces of larger files are counted when somebody asks for the file's attributes
)

// ContentSizer is what a catalog may offer beyond Catalog: the sum of the lengths of the pieces of many contents, in
// one query. Contents without pieces, or with pieces that lead nowhere, are not reported. Without it, pieces are read
// content by content.
type ContentSizer interface {
	ContentBytes(ctx context.Context, contents []catalog.ID, fn func(content catalog.ID, bytes int64) error) error
}

// cheaplyStored is how many bytes of data the item has as far as it can be told without asking anybody. Files that fit
// into one block take one or none.
func (it *item) cheaplyStored() int64 {
	switch {
	case it.kind != catalog.File:
		return it.size
	case it.unreadable():
		return it.size // no hole: whoever copies it must read it, and notice
	case it.data == 0:
		return 0
	case it.size <= block && it.traits&isContent == 0:
		return it.size
	}
	return unknown
}

// dataBytes is how many bytes of data item i has, if known.
func (l *listing) dataBytes(i int) (int64, bool) {
	n := atomic.LoadInt64(&l.items[i].stored)
	return n, n != unknown
}

// wanted is an item whose data are to be counted.
type wanted struct {
	data catalog.ID
	item int
}

// measure finds out how many bytes of data the items have, with few queries, and leaves out very large files.
func measure(ctx context.Context, cat Catalog, l *listing) error {
	var chunks, contents []wanted
	for i := range l.items {
		it := &l.items[i]
		if _, ok := l.dataBytes(i); ok {
			continue
		}
		if it.traits&isContent == 0 {
			chunks = append(chunks, wanted{it.data, i})
		} else if it.size <= manyBytes {
			contents = append(contents, wanted{it.data, i})
		}
	}
	if err := measureChunks(ctx, cat, l, chunks); err != nil {
		return err
	}
	return measureContents(ctx, cat, l, contents)
}

func measureChunks(ctx context.Context, cat Catalog, l *listing, chunks []wanted) error {
	const batch = 8192
	slices.SortFunc(chunks, compareWanted)
	for len(chunks) > 0 {
		part := chunks[:min(batch, len(chunks))]
		chunks = chunks[len(part):]
		err := cat.ChunkPlaces(ctx, idsOf(part), func(p *catalog.Place) error {
			l.store(part, p.Chunk, int64(p.Length))
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func measureContents(ctx context.Context, cat Catalog, l *listing, contents []wanted) error {
	if len(contents) == 0 {
		return nil
	}
	slices.SortFunc(contents, compareWanted)
	if sizer, ok := cat.(ContentSizer); ok {
		return sizer.ContentBytes(ctx, idsOf(contents), func(content catalog.ID, n int64) error {
			l.store(contents, content, n)
			return nil
		})
	}
	for _, w := range contents {
		// One file that is damaged must not hide the others: whoever asks for its attributes is told.
		if err := measureContent(ctx, cat, l, w.item); err != nil && !errors.Is(err, catalog.ErrInvalid) {
			return err
		}
	}
	return nil
}

// measureContent counts the bytes of item i, a file with a content.
func measureContent(ctx context.Context, cat Catalog, l *listing, i int) error {
	const batch = 4096
	var sum, from int64
	some := false
	for {
		n := 0
		err := cat.Pieces(ctx, l.items[i].data, from, batch, func(p *catalog.PlacedPiece) error {
			n++
			some = true
			sum += int64(p.Place.Length)
			from = p.Offset + int64(p.Place.Length)
			return nil
		})
		if err != nil {
			return err
		}
		if n < batch || from >= l.items[i].size {
			break
		}
	}
	if !some { // zero blocks would tell programs that it is one hole
		return catalog.Invalidf("content %s has no pieces", l.items[i].data)
	}
	atomic.StoreInt64(&l.items[i].stored, min(sum, l.items[i].size))
	return nil
}

// measureOne finds out how many bytes of data item i has, whatever its size.
func measureOne(ctx context.Context, cat Catalog, l *listing, i int) error {
	it := &l.items[i]
	if it.traits&isContent != 0 {
		return measureContent(ctx, cat, l, i)
	}
	return measureChunks(ctx, cat, l, []wanted{{it.data, i}})
}

func compareWanted(a, b wanted) int { return cmp.Compare(a.data, b.data) }

// idsOf is what the sorted ws want, each once.
func idsOf(ws []wanted) []catalog.ID {
	ids := make([]catalog.ID, 0, len(ws))
	for _, w := range ws {
		if len(ids) == 0 || ids[len(ids)-1] != w.data {
			ids = append(ids, w.data)
		}
	}
	return ids
}

// store notes the bytes of a chunk or content for all items among the sorted ws that have it.
func (l *listing) store(ws []wanted, data catalog.ID, n int64) {
	i, _ := slices.BinarySearchFunc(ws, data, func(w wanted, id catalog.ID) int { return cmp.Compare(w.data, id) })
	for ; i < len(ws) && ws[i].data == data; i++ {
		it := &l.items[ws[i].item]
		atomic.StoreInt64(&it.stored, min(n, it.size))
	}
}
