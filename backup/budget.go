package backup

import (
	"runtime"
	"time"

	"github.com/bus3/bus3/s3store/pack"
	"github.com/bus3/bus3/s3store/repository"
)

// All that takes memory in a run stands here. With the default sizes of chunks and two cores, it is at most:
//
//	packs      3 × 34 MiB  one is filled, two are uploaded, or one where memory is crowded; each takes what is in it
//	parcels    8 ×  1 MiB  of plaintext, being read or waiting for their turn
//	streams    2 ×  3 MiB  of large files: so many are on their way at once, however many are read at once
//	cutters    2 ×  4 MiB  of large files
//	           4 ×  1 MiB  of small ones
//	segments   6 ×  2 MiB  of plaintext and sealed, being compressed or waiting for their turn
//	encoders   3 ×  2 MiB  of the compressor
//	rows       4 ×  8 MiB  (more if memory is not crowded) a batch being filled, one waiting for its packs, one being written, one being applied
//	known            8 MiB chunks of this run
//	names            8 MiB directories that are compared
//
// Beside these are about 24 MiB of the program itself and 20 MiB of SQLite. The program takes less as a rule: while 4 GB of
// /usr are backed up for the first time, on two cores, some 45 MiB of the heap are alive at most, and 80 to 110 MiB are buffers.
//
// Packs, parcels, streams, cutters and segments are outside of the heap (buffers.go), so that the collector does not let as much
// again go to waste. Buffers for chunks have room for the largest one, but hardly any are that large: what a free one
// has beyond the half goes back to the system.
const (
	// packSize is where a pack is finished, bytes. It is guessed from what is still being compressed: some are larger.
	packSize = pack.DefaultSize
	// packBuffers is how many packs are in memory at once: one is filled, the others are on their way.
	packBuffers = 3

	// parcelBytes and parcelJobs are what small files and other names are read in one go.
	parcelBytes = pack.SegmentSize
	parcelJobs  = 256
	// parcelSlack is by how many bytes the files of a parcel may have grown since they were listed.
	parcelSlack = 1 << 20

	// jobSlice is how many jobs travel from the walk at once, and jobSlices how many such slices may wait.
	jobSlice  = 256
	jobSlices = 16

	// batchPacks and batchRows are what a batch holds: it ends at the first end of a pack where one of them is reached...
	batchPacks = 8
	batchRows  = 100_000
	// ...or here, whatever the packs.
	maxBatchRows = 140_000
	// crowdedBytes is the memory of the process beyond which the last of the buffers for packs stays unused, and a batch ends
	// at the end of a pack with crowdedRows: so that it does not take more than 200 MiB.
	crowdedBytes = 136 << 20
	crowdedRows  = 20_000
	// rowsOnly is after how many rows that need no data they are passed on.
	rowsOnly = 2048
	// batchAge is after what time a batch ends at the end of a pack, and oldBatchAge after what time anyhow.
	batchAge    = 15 * time.Second
	oldBatchAge = 90 * time.Second

	// knownChunks is how many chunks of this run are surely remembered; the catalog knows those before them.
	knownChunks = 40_000
	// knownValues is the same for values.
	knownValues = 4096
	// linkedFiles is how many files are remembered that have more names to come.
	linkedFiles = 250_000
	// wholeLinks is how many of those are remembered of which no more names are expected.
	wholeLinks = 10_000
	// rememberedLate is how many files are remembered that got a link between being listed and being read.
	rememberedLate = 1000

	// groupDirs is how many directories are compared in one query.
	groupDirs = 64
	// inodeQuery is how many new names are looked up by inode in one query.
	inodeQuery = 512

	// attempts is how often a file is read that changes meanwhile.
	attempts = 3
	// availability is for how long a catalog that cannot be reached is tried again.
	availability = 60 * time.Second
)

// DefaultJobs is how many files are read at once: enough to keep the cores busy while some wait for the disk.
func DefaultJobs() int { return min(max(2*runtime.GOMAXPROCS(0), 4), 8) }

// sizes are what depends on how a repository cuts files.
type sizes struct {
	largest   int // bytes of the largest chunk
	block     int // bytes of a buffer for chunks
	kept      int // bytes of such a buffer that stay in memory when it is free
	parcels   int // how many may be read, or wait, at once
	blocks    int // how many of one large file may wait
	streams   int // how many large files may be read, or wait, at once
	groups    int // how many segments may be compressed, or wait, at once
	readers   int
	comparers int
	sealers   int
	buffer    int // bytes of a pack's buffer; the part that is not used takes no memory

	packSize, batchRows, maxBatchRows, rowsOnly int
}

// sizesFor keeps what large chunks take bounded by having fewer of them in memory.
func sizesFor(c repository.Chunking, jobs int) sizes {
	if jobs == 0 {
		jobs = DefaultJobs()
	}
	cores := runtime.GOMAXPROCS(0)
	s := sizes{
		largest: max(c.Max, c.Fixed), parcels: jobs + 4, blocks: 2, groups: cores + 2,
		streams: max(2, jobs/2), readers: jobs, comparers: min(max(cores, 2)+1, 6), sealers: cores,
		packSize: packSize, batchRows: batchRows, maxBatchRows: maxBatchRows, rowsOnly: rowsOnly,
	}
	s.block = max(pack.SegmentSize, s.largest)
	if s.kept = s.block; c.Fixed == 0 {
		s.kept /= 2 // most chunks are far smaller than the largest
	}
	if s.block > 8<<20 {
		s.readers, s.blocks, s.groups, s.sealers = 1, 0, 1, 1
	}
	s.buffer = packSize + (s.groups+2)*(s.block+64) + 4<<20
	return s
}

// shrink lets a small tree fill several packs and batches: each pack ends a batch, whatever the order in which files come.
func (s *sizes) shrink() { s.packSize, s.batchRows, s.maxBatchRows, s.rowsOnly = 64<<10, 1, 150, 10 }

// small tells whether a file of that size is read together with others.
func small(size int64) bool { return size <= parcelBytes }
