package cache

import (
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/bus3/bus3/catalog"
)

func TestOneMiBCostsTwoGETsAndEightMiB(t *testing.T) {
	w := newWorld(t)
	data := noise(70<<20, 1)
	e := w.large("big", int64(len(data)), 620_000, span{0, data})
	w.ready()
	for off := int64(1 << 20); off < int64(len(data))-3<<20; off += 7<<20 + 12345 {
		w.gets.Store(0)
		w.bytes.Store(0)
		r := w.reader(Options{})
		buf := make([]byte, 128<<10)
		for n := int64(0); n < 1<<20; n += int64(len(buf)) { // in small reads, as a kernel may send them
			if _, err := r.ReadAt(t.Context(), &e, buf, off+n); err != nil {
				t.Fatal(err)
			}
		}
		w.close(r) // what runs in the background counts as well
		// Two blocks, or the end of a pack and the start of the next.
		if w.gets.Load() > 2 || w.bytes.Load() > 8<<20 {
			t.Errorf("1 MiB at %d: %d GETs, %d bytes", off, w.gets.Load(), w.bytes.Load())
		}
	}
}

func TestReadingAlongFetchesEverythingAboutOnce(t *testing.T) {
	w := newWorld(t)
	data := noise(70<<20, 1)
	e := w.large("big", int64(len(data)), 620_000, span{0, data})
	w.ready()
	r := w.reader(Options{})
	readAll(t, r, &e, data, 1<<20)
	w.close(r)
	if n := w.gets.Load(); n > 30 { // 22 blocks
		t.Errorf("%d GETs", n)
	}
}

func TestSmallFilesInTheOrderOfPacksShareGETs(t *testing.T) {
	w := newWorld(t)
	data := noise(40<<20, 1)
	var files []catalog.Entry
	for i := range len(data) / 4096 {
		files = append(files, w.small("small", data[i*4096:(i+1)*4096]))
	}
	w.ready()
	// Neighbours overtake each other, as several directories that were packed at once do.
	for i := 0; i+40 < len(files); i += 40 {
		rand.New(rand.NewPCG(uint64(i), 1)).Shuffle(40, func(a, b int) {
			files[i+a], files[i+b] = files[i+b], files[i+a]
		})
	}
	r := w.reader(Options{})
	for i := range files {
		if _, err := r.ReadAt(t.Context(), &files[i], make([]byte, 4096), 0); err != nil {
			t.Fatal(err)
		}
	}
	w.close(r)
	if n := w.gets.Load(); n > 20 { // 13 blocks
		t.Errorf("%d GETs for %d files", n, len(files))
	}
}

func TestManyStreamsDoNotStarveEachOther(t *testing.T) {
	w := newWorld(t)
	const streams, size = 16, 6 << 20
	data := noise(streams*size, 1)
	var files []catalog.Entry
	for i := range streams {
		files = append(files, w.large("big", size, 620_000, span{0, data[i*size : (i+1)*size]}))
	}
	w.ready()
	r := w.reader(Options{})
	var wg sync.WaitGroup
	for i := range streams {
		wg.Go(func() { readAll(t, r, &files[i], data[i*size:(i+1)*size], 128<<10) })
	}
	wg.Wait()
	w.close(r)
	if n := w.bytes.Load(); n > 8*streams*size {
		t.Errorf("%d bytes were fetched for %d", n, streams*size)
	}
}

func TestRandomReadersFetchLittleAhead(t *testing.T) {
	w := newWorld(t)
	data := noise(128<<20, 1)
	e := w.large("big", int64(len(data)), 620_000, span{0, data})
	w.ready()
	fetched := func(o Options) int64 {
		w.bytes.Store(0)
		r := w.reader(o)
		rnd := rand.New(rand.NewPCG(1, 2))
		for range 25 {
			if _, err := r.ReadAt(t.Context(), &e, make([]byte, 4096), rnd.Int64N(int64(len(data)))); err != nil {
				t.Fatal(err)
			}
		}
		w.close(r)
		return w.bytes.Load()
	}
	without, with := fetched(Options{NoReadAhead: true}), fetched(Options{})
	if with > without*3/2 {
		t.Errorf("%d MiB with reading ahead, %d without", with>>20, without>>20)
	}
}

func TestMemoryKeepsItsLimit(t *testing.T) {
	w := newWorld(t)
	data := noise(64<<20, 1)
	e := w.large("big", int64(len(data)), 620_000, span{0, data})
	w.ready()
	const limit = 24 << 20
	r := w.reader(Options{MemoryBytes: limit})
	for range 2 {
		for off := int64(0); off < int64(len(data)); off += 1 << 20 {
			if _, err := r.ReadAt(t.Context(), &e, make([]byte, 1<<20), off); err != nil {
				t.Fatal(err)
			}
			if n := r.memory.pool.mapped.Load(); n > limit+slabSize+20<<20 {
				t.Fatalf("%d MiB are mapped with a limit of %d", n>>20, limit>>20)
			}
		}
	}
}

func TestPrefetchTakesWhatThereIsRoomFor(t *testing.T) {
	w := newWorld(t)
	data := noise(70<<20, 1)
	e := w.large("big", int64(len(data)), 620_000, span{0, data})
	w.ready()
	r := w.reader(Options{MemoryBytes: 36 << 20})
	var places []*catalog.Place
	for i := range w.pieces[e.Content] {
		places = append(places, &w.pieces[e.Content][i].Place)
	}
	n := r.Prefetch(places)
	if n == 0 || n == len(places) {
		t.Errorf("%d of %d places were taken", n, len(places))
	}
	asked := 0
	for i, p := range places {
		asked = max(asked, i)
		asked += r.Prefetch(places[asked:])
		off := w.pieces[e.Content][i].Offset
		err := r.Chunk(t.Context(), p, func(plain []byte) error {
			if string(plain) != string(data[off:off+int64(p.Length)]) {
				t.Errorf("chunk %d has wrong bytes", i)
			}
			return nil
		})
		try(t, err)
	}
	w.close(r)
	if n := w.bytes.Load(); n > 100<<20 {
		t.Errorf("%d MiB were fetched", n>>20)
	}
}
