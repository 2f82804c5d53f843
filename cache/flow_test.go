package cache

import (
	"context"
	"sync"
	"testing"

	"github.com/bus3/bus3/catalog"
)

// mixed has files of one chunk and files of several beside each other, as a tree of programs has them.
func mixed(w *world, data []byte) (files []catalog.Entry, contents [][]byte) {
	sizes := []int{4096, 900_000, 20_000, 300, 130_000, 1_500_000, 60_000}
	for i := 0; len(data) > 0; i++ {
		content := data[:min(sizes[i%len(sizes)], len(data))]
		data = data[len(content):]
		if contents = append(contents, content); len(content) > 256<<10 {
			files = append(files, w.large("large", int64(len(content)), 300_000, span{0, content}))
		} else {
			files = append(files, w.small("small", content))
		}
	}
	w.ready()
	return files, contents
}

// grid is how many blocks, and how many bytes, the store has.
func (w *world) grid() (blocks, bytes int64) {
	for _, object := range w.objects {
		blocks += blockCount(int64(len(object)))
		bytes += int64(len(object))
	}
	return blocks, bytes
}

func TestATreeInTheOrderOfPacksCostsAboutOneGETPerBlock(t *testing.T) {
	w := newWorld(t)
	files, contents := mixed(w, noise(50<<20, 1))
	blocks, bytes := w.grid()
	r := w.reader(Options{})
	for i := range files {
		readAll(t, r, &files[i], contents[i], 128<<10)
	}
	w.close(r)
	spare := blocks/2 + 4 // blocks may be given back, and asked for once more
	if gets, got := w.gets.Load(), w.bytes.Load(); gets > blocks+spare || got > bytes+spare*blockSize {
		t.Errorf("%d GETs of %d bytes for %d blocks of %d bytes", gets, got, blocks, bytes)
	}
}

func TestAReaderThatWaitsForTheStoreHoldsUpNoOther(t *testing.T) {
	w := newWorld(t)
	data := noise(24<<20, 1)
	half := len(data) / 2
	slow := w.large("slow", int64(half), 700_000, span{0, data[:half]})
	w.finish() // the other file gets packs of its own
	held := make(map[string]bool)
	for object := range w.objects {
		held[object] = true
	}
	quick := w.large("quick", int64(half), 700_000, span{0, data[half:]})
	w.ready()
	gate := make(chan struct{})
	w.fault = func(ctx context.Context, object string, _ int64) error {
		if !held[object] {
			return nil
		}
		select {
		case <-gate:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	r := w.reader(Options{})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() { readAll(t, r, &slow, data[:half], 1<<20) })
	}
	eventually(t, "the first fetch", func() bool { return w.gets.Load() > 0 })
	readAll(t, r, &quick, data[half:], 1<<20)
	close(gate)
	wg.Wait()
}
