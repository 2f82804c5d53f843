package cache

import "github.com/bus3/bus3/catalog"

// Packs are read in blocks of blockSize on a fixed grid, so that what is fetched once serves all, in memory and on disk.
//
// Why nearly 4 MiB: one MiB anywhere costs two GETs at most, of no more than 8 MiB together even at the end of a pack; and
// 200 MB of small files cost some 55 GETs even if nothing is joined.
const (
	blockSize = 3840 << 10
	// runBlocks is how many neighbouring blocks one GET fetches at most: larger ones do not get faster, and the memory
	// of a run is given back only with its last block.
	runBlocks = 2
	// minTail is the smallest last block of a pack; a smaller rest belongs to the block before it.
	minTail = 512 << 10
)

// blockCount is how many blocks a pack of size bytes has.
func blockCount(size int64) int64 {
	n := size / blockSize
	if n == 0 || size%blockSize >= minTail {
		n++
	}
	return n
}

// blockAt is the index of the block that has the byte at off of a pack of size bytes.
func blockAt(off, size int64) int64 { return min(off/blockSize, blockCount(size)-1) }

// blockRange is where a block begins and ends in its pack.
func blockRange(index, size int64) (off, end int64) {
	off = index * blockSize
	if index == blockCount(size)-1 {
		return off, size
	}
	return off, off + blockSize
}

// form tells encrypted blocks from decoded segments.
type form uint8

const (
	block form = iota
	segment
)

// key names what memory holds: a block of a pack by its index, or a segment of a pack by its number.
type key struct {
	pack   catalog.PackID
	form   form
	number uint32
}

func segmentKey(p *catalog.Place) key { return key{p.Pack.Key, segment, p.Segment.Number} }
