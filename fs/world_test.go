package fs

import (
	"bytes"
	"cmp"
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bus3/bus3/catalog"
)

// world is a catalog and a reader in memory.
type world struct {
	mu      sync.Mutex
	scans   []catalog.Scan
	entries map[catalog.ID]catalog.Entry
	listed  map[catalog.ID][]catalog.ID // entries by directory
	values  []catalog.Value
	chunks  map[catalog.ID][]byte
	pieces  map[catalog.ID][]catalog.PlacedPiece
	last    map[int64]int64 // counters
	asked   map[string]int
	broken  error                                             // what all queries return
	reading func(ctx context.Context, e *catalog.Entry) error // called by ReadAt
	looking func(ctx context.Context, name string) error      // called by Lookup
}

func newWorld() *world {
	return &world{
		entries: map[catalog.ID]catalog.Entry{}, listed: map[catalog.ID][]catalog.ID{}, chunks: map[catalog.ID][]byte{},
		pieces: map[catalog.ID][]catalog.PlacedPiece{}, last: map[int64]int64{}, asked: map[string]int{},
	}
}

func (w *world) id(scan int64) catalog.ID {
	w.last[scan]++
	return catalog.NewID(scan, w.last[scan])
}

const someTime = int64(1_624_548_661_123_456_789) // 2021-06-24T15:31:01 UTC

// scan adds a finished scan of a source, and its top directory; the ID is the identity of that.
func (w *world) scan(n int64, host, root string) catalog.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	source := catalog.Source{ID: catalog.NewID(n, 1), Host: host, Root: root}
	w.last[n] = 1
	w.scans = append(w.scans, catalog.Scan{
		Number: n, Source: source, Started: someTime + n*int64(time.Hour), Finished: someTime + n*int64(time.Hour) + 5e9, State: catalog.Complete,
		Counts: catalog.Counts{Bytes: 1 << 30, Files: 10},
	})
	e := catalog.Entry{ID: w.id(n), Source: source.ID, Ino: w.id(n), Kind: catalog.Directory, Mode: 0o755, Size: 4096, Mtime: someTime, Nlink: 2}
	e.UID, e.GID = uint32(os.Getuid()), uint32(os.Getgid())
	w.put(e)
	return e.Ino
}

func (w *world) put(e catalog.Entry) catalog.Entry {
	e.Last = catalog.Open
	w.entries[e.ID] = e
	w.listed[e.Dir] = append(w.listed[e.Dir], e.ID)
	return e
}

// add adds an entry to a directory; what e leaves out is made up.
func (w *world) add(scan int64, dir catalog.ID, e catalog.Entry) catalog.Entry {
	w.mu.Lock()
	defer w.mu.Unlock()
	e.ID, e.Dir, e.Source = w.id(scan), dir, catalog.NewID(scan, 1)
	if e.Ino == 0 {
		e.Ino = w.id(scan)
	}
	if e.Kind == 0 {
		e.Kind = catalog.File
	}
	if e.Mode == 0 {
		e.Mode = 0o644
		if e.Kind == catalog.Directory {
			e.Mode = 0o755
		}
	}
	e.Nlink = max(e.Nlink, 1)
	if e.Mtime == 0 {
		e.Mtime, e.Ctime = someTime, someTime
	}
	e.UID, e.GID = cmp.Or(e.UID, uint32(os.Getuid())), cmp.Or(e.GID, uint32(os.Getgid()))
	return w.put(e)
}

func (w *world) dir(scan int64, dir catalog.ID, name string) catalog.ID {
	return w.add(scan, dir, catalog.Entry{Name: name, Kind: catalog.Directory, Size: 4096, Nlink: 2}).Ino
}

// chunk adds the bytes of a chunk.
func (w *world) chunk(scan int64, data []byte) catalog.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	id := w.id(scan)
	w.chunks[id] = data
	return id
}

func (w *world) file(scan int64, dir catalog.ID, name string, data []byte) catalog.Entry {
	e := catalog.Entry{Name: name, Size: int64(len(data))}
	if len(data) > 0 {
		e.Chunk = w.chunk(scan, data)
	}
	return w.add(scan, dir, e)
}

// content adds a content of pieces at offsets.
func (w *world) content(scan int64, pieces map[int64][]byte) catalog.ID {
	var list []catalog.PlacedPiece
	for off, data := range pieces {
		id := w.chunk(scan, data)
		list = append(list, catalog.PlacedPiece{Offset: off, Place: catalog.Place{Chunk: id, Length: uint32(len(data))}})
	}
	slices.SortFunc(list, func(a, b catalog.PlacedPiece) int { return cmp.Compare(a.Offset, b.Offset) })
	w.mu.Lock()
	defer w.mu.Unlock()
	id := w.id(scan)
	w.pieces[id] = list
	return id
}

func (w *world) xattrs(scan int64, set ...catalog.Xattr) catalog.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	v := catalog.Value{ID: w.id(scan), Bytes: catalog.EncodeXattrs(set)}
	w.values = append(w.values, v)
	return v.ID
}

// remove removes a scan with all entries that began in it.
func (w *world) remove(scan int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.scans = slices.DeleteFunc(w.scans, func(s catalog.Scan) bool { return s.Number == scan })
	for id := range w.entries {
		if id.Scan() == scan {
			delete(w.entries, id)
		}
	}
}

// ask counts a query, and fails if the world is broken.
func (w *world) ask(ctx context.Context, what string) error {
	w.asked[what]++
	if w.broken != nil {
		return w.broken
	}
	return ctx.Err()
}

func (w *world) breakWith(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.broken = err
}

// count is how often something was asked.
func (w *world) count(what string) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asked[what]
}

func (w *world) Scans(ctx context.Context, fn func(*catalog.Scan) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ask(ctx, "Scans"); err != nil {
		return err
	}
	for i := range w.scans {
		if err := fn(&w.scans[i]); err != nil {
			return err
		}
	}
	return nil
}

// in gives the entries of a directory that a scan sees; w.mu is held.
func (w *world) in(scan int64, dir catalog.ID) []catalog.Entry {
	var list []catalog.Entry
	for _, id := range w.listed[dir] {
		if e, ok := w.entries[id]; ok && e.In(scan) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b catalog.Entry) int { return cmp.Compare(a.Name, b.Name) })
	return list
}

func (w *world) Root(ctx context.Context, scan int64) (catalog.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ask(ctx, "Root"); err != nil {
		return catalog.Entry{}, err
	}
	for _, s := range w.scans {
		if s.Number == scan {
			for _, e := range w.in(scan, 0) {
				if e.Source == s.Source.ID {
					return e, nil
				}
			}
		}
	}
	return catalog.Entry{}, catalog.ErrNotFound
}

func (w *world) List(ctx context.Context, scan int64, dir catalog.ID, fn func(*catalog.Entry) error) error {
	w.mu.Lock()
	err := w.ask(ctx, "List")
	list := w.in(scan, dir)
	w.mu.Unlock()
	for i := 0; err == nil && i < len(list); i++ {
		err = fn(&list[i])
	}
	return err
}

func (w *world) Lookup(ctx context.Context, scan int64, dir catalog.ID, name string) (catalog.Entry, error) {
	if w.looking != nil {
		if err := w.looking(ctx, name); err != nil {
			return catalog.Entry{}, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ask(ctx, "Lookup"); err != nil {
		return catalog.Entry{}, err
	}
	for _, e := range w.in(scan, dir) {
		if e.Name == name {
			return e, nil
		}
	}
	return catalog.Entry{}, catalog.ErrNotFound
}

func (w *world) Entry(ctx context.Context, id catalog.ID) (catalog.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ask(ctx, "Entry"); err != nil {
		return catalog.Entry{}, err
	}
	if e, ok := w.entries[id]; ok {
		return e, nil
	}
	return catalog.Entry{}, catalog.ErrNotFound
}

func (w *world) Directory(ctx context.Context, scan int64, ino catalog.ID) (catalog.Entry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ask(ctx, "Directory"); err != nil {
		return catalog.Entry{}, err
	}
	for _, e := range w.entries {
		if e.Ino == ino && e.Kind == catalog.Directory && e.In(scan) {
			return e, nil
		}
	}
	return catalog.Entry{}, catalog.ErrNotFound
}

func (w *world) Values(ctx context.Context, ids []catalog.ID, fn func(*catalog.Value) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ask(ctx, "Values"); err != nil {
		return err
	}
	for i := range w.values {
		if slices.Contains(ids, w.values[i].ID) {
			if err := fn(&w.values[i]); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) ChunkPlaces(ctx context.Context, ids []catalog.ID, fn func(*catalog.Place) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ask(ctx, "ChunkPlaces"); err != nil {
		return err
	}
	for _, id := range ids {
		if data, ok := w.chunks[id]; ok {
			if err := fn(&catalog.Place{Chunk: id, Length: uint32(len(data))}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *world) Pieces(ctx context.Context, content catalog.ID, from int64, limit int, fn func(*catalog.PlacedPiece) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.ask(ctx, "Pieces"); err != nil {
		return err
	}
	for _, p := range w.pieces[content] {
		if p.Offset+int64(p.Place.Length) > from && limit > 0 {
			limit--
			if err := fn(&p); err != nil {
				return err
			}
		}
	}
	return nil
}

// extents are the data of a file, in order.
func (w *world) extents(e *catalog.Entry) []catalog.PlacedPiece {
	if e.Chunk != 0 {
		return []catalog.PlacedPiece{{Place: catalog.Place{Chunk: e.Chunk, Length: uint32(len(w.chunks[e.Chunk]))}}}
	}
	return w.pieces[e.Content]
}

func (w *world) ReadAt(ctx context.Context, e *catalog.Entry, dst []byte, off int64) (int, error) {
	if w.reading != nil {
		if err := w.reading(ctx, e); err != nil {
			return 0, err
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.asked["ReadAt"]++
	n := int(min(int64(len(dst)), e.Size-off))
	clear(dst[:n])
	for _, p := range w.extents(e) {
		data := w.chunks[p.Place.Chunk]
		switch {
		case p.Offset >= off+int64(n) || p.Offset+int64(len(data)) <= off:
		case p.Offset >= off:
			copy(dst[p.Offset-off:n], data)
		default:
			copy(dst[:n], data[off-p.Offset:])
		}
	}
	return n, nil
}

func (w *world) NextData(_ context.Context, e *catalog.Entry, off int64) (int64, error) {
	for _, p := range w.extents(e) {
		if p.Offset+int64(p.Place.Length) > off {
			return max(off, p.Offset), nil
		}
	}
	return 0, syscall.ENXIO
}

func (w *world) NextHole(_ context.Context, e *catalog.Entry, off int64) (int64, error) {
	for _, p := range w.extents(e) {
		if end := p.Offset + int64(p.Place.Length); p.Offset <= off && off < end {
			off = end
		}
	}
	return min(off, e.Size), nil
}

// logged is a log that tests can read.
type logged struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logged) contains(s string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Contains(l.buf.String(), s)
}

// mounted is a world under a real mount.
type mounted struct {
	*world
	*Server
	log *logged
}

func (m *mounted) path(parts ...string) string {
	return filepath.Join(append([]string{m.Mountpoint()}, parts...)...)
}

// mount mounts w for the time of a test.
func (w *world) mount(t *testing.T, o Options) *mounted {
	t.Helper()
	m := &mounted{world: w, log: &logged{}}
	o.Mountpoint = t.TempDir()
	o.Log = slog.New(slog.NewTextHandler(m.log, nil))
	o.Location = time.UTC
	if o.Interval == 0 {
		o.Interval = time.Millisecond
	}
	var err error
	if m.Server, err = Mount(t.Context(), w, w, o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		select {
		case <-m.Done():
			return
		default:
		}
		if err := Unmount(o.Mountpoint, true); err != nil {
			t.Errorf("unmount: %v", err)
		}
		m.Wait()
	})
	return m
}

// eventually waits until something holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("after a minute, still not: %s", what)
		}
	}
}
