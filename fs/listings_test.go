package fs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/bus3/bus3/catalog"
)

// unmounted is the file system without a kernel.
func (w *world) unmounted(t testing.TB, o Options) *filesystem {
	t.Helper()
	o.Log = slog.New(slog.DiscardHandler)
	o.setDefaults()
	f := newFilesystem(w, w, o)
	if err := f.scans.first(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.scans.close)
	return f
}

func (f *filesystem) lookupNode(t testing.TB, parent uint64, name string) *fuse.EntryOut {
	t.Helper()
	var out fuse.EntryOut
	if st := f.Lookup(nil, &fuse.InHeader{NodeId: parent}, name, &out); st != fuse.OK || out.NodeId == 0 {
		t.Fatalf("lookup of %q in node %x: %v, node %x", name, parent, st, out.NodeId)
	}
	return &out
}

func (x *nodeIndex) len() (n int) {
	for i := range x.shards {
		x.shards[i].mu.RLock()
		n += len(x.shards[i].places)
		x.shards[i].mu.RUnlock()
	}
	return n
}

// lists reads the names of a directory as the kernel does.
func (f *filesystem) lists(t testing.TB, node uint64) (n int) {
	t.Helper()
	buf := make([]byte, 32<<10)
	for off := uint64(0); ; {
		out := fuse.NewDirEntryList(buf, off)
		if st := f.ReadDirPlus(nil, &fuse.ReadIn{InHeader: fuse.InHeader{NodeId: node}, Offset: off}, out); st != fuse.OK {
			t.Fatal(st)
		}
		if out.Offset == off {
			return n
		}
		entries, _, err := fuse.ParseDirLookupEntries(out.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		n, off = n+len(entries), out.Offset
	}
}

func TestListingsStayWithinTheirBytes(t *testing.T) {
	const dirs, files, limit = 50, 400, 256 << 10
	w := newWorld()
	top := w.scan(0, "host", "/home")
	for d := range dirs {
		dir := w.dir(0, top, fmt.Sprintf("dir-%03d", d))
		for i := range files {
			w.add(0, dir, catalog.Entry{Name: fmt.Sprintf("file-%06d", i)})
		}
	}
	f := w.unmounted(t, Options{ListingBytes: limit})
	scan := f.lookupNode(t, fuse.FUSE_ROOT_ID, "0").NodeId
	var last uint64
	for d := range dirs {
		last = f.lookupNode(t, scan, fmt.Sprintf("dir-%03d", d)).NodeId
		if n := f.lists(t, last); n != files+2 {
			t.Fatalf("%d names, want %d", n, files+2)
		}
		if f.listings.bytes > limit {
			t.Fatalf("listings take %d bytes, %d are allowed", f.listings.bytes, limit)
		}
	}
	var items int
	for _, k := range f.listings.cached.Keys() {
		l, _ := f.listings.cached.Peek(k)
		items += len(l.items)
	}
	if got := f.listings.index.len(); got != items || items < files {
		t.Errorf("the index has %d nodes, the listings %d", got, items)
	}
	f.listings.drop(func(int64) bool { return true })
	if f.listings.index.len() != 0 || f.listings.bytes != 0 || f.listings.cached.Len() != 0 {
		t.Errorf("%d nodes, %d bytes, %d listings are left", f.listings.index.len(), f.listings.bytes, f.listings.cached.Len())
	}
}

func TestNodesAreFoundThoughNothingIsCached(t *testing.T) {
	const files = 100
	w := newWorld()
	dir := w.dir(0, w.scan(0, "host", "/home"), "dir")
	var nodes []uint64
	for i := range files {
		nodes = append(nodes, fileNode(w.file(0, dir, fmt.Sprintf("file-%03d", i), []byte("data")).ID))
	}
	f := w.unmounted(t, Options{})
	for _, node := range nodes {
		var out fuse.AttrOut
		if st := f.GetAttr(nil, &fuse.GetAttrIn{InHeader: fuse.InHeader{NodeId: node}}, &out); st != fuse.OK || out.Size != 4 {
			t.Fatalf("node %x: %v, %d bytes", node, st, out.Size)
		}
	}
	if single, lists := w.count("Entry"), w.count("List"); single > 10 || lists != 1 {
		t.Errorf("%d entries were asked for one by one, and %d listings", single, lists)
	}
	k := dirKey{0, dir}
	node, _ := packDir(k)
	var out fuse.AttrOut
	if st := f.GetAttr(nil, &fuse.GetAttrIn{InHeader: fuse.InHeader{NodeId: node}}, &out); st != fuse.OK || out.Ino != directoryInode(k) {
		t.Errorf("the directory: %v, inode number %d", st, out.Ino)
	}
	for _, unknown := range []uint64{fileNode(catalog.NewID(9, 9)), packedBit | 9, tableBit | 9, 1 << 40, fileBit} {
		if st := f.GetAttr(nil, &fuse.GetAttrIn{InHeader: fuse.InHeader{NodeId: unknown}}, &out); st == fuse.OK {
			t.Errorf("node %x, which is nothing, has attributes", unknown)
		}
	}
}

func TestDotsLeadToTheNodeAndItsDirectory(t *testing.T) {
	w := newWorld()
	top := w.scan(0, "host", "/home")
	dir := w.dir(0, top, "dir")
	w.file(0, dir, "file", []byte("data"))
	f := w.unmounted(t, Options{})
	scan := f.lookupNode(t, fuse.FUSE_ROOT_ID, "0")
	sub := f.lookupNode(t, scan.NodeId, "dir")
	file := f.lookupNode(t, sub.NodeId, "file")
	for _, c := range []struct {
		node uint64
		name string
		want uint64
	}{
		{file.NodeId, ".", file.NodeId},
		{sub.NodeId, ".", sub.NodeId},
		{sub.NodeId, "..", scan.NodeId},
		{scan.NodeId, ".", scan.NodeId},
		{scan.NodeId, "..", fuse.FUSE_ROOT_ID},
		{fuse.FUSE_ROOT_ID, ".", fuse.FUSE_ROOT_ID},
	} {
		if got := f.lookupNode(t, c.node, c.name); got.NodeId != c.want {
			t.Errorf("%q of node %x is node %x, want %x", c.name, c.node, got.NodeId, c.want)
		}
	}
}

func TestScansWithLargeNumbersAreServedToo(t *testing.T) {
	w := newWorld()
	dir := w.dir(catalog.MaxScan, w.scan(catalog.MaxScan, "host", "/home"), "dir")
	w.file(catalog.MaxScan, dir, "file", []byte("data"))
	f := w.unmounted(t, Options{})
	scan := f.lookupNode(t, fuse.FUSE_ROOT_ID, fmt.Sprint(int64(catalog.MaxScan)))
	sub := f.lookupNode(t, scan.NodeId, "dir")
	if n := f.lists(t, sub.NodeId); n != 3 {
		t.Errorf("%d names, want 3", n)
	}
	if got := f.lookupNode(t, sub.NodeId, "..").NodeId; got != scan.NodeId {
		t.Errorf("the directory above is node %x, want %x", got, scan.NodeId)
	}
	for _, node := range []uint64{sub.NodeId, scan.NodeId} {
		f.Forget(node, math.MaxUint64)
	}
	if len(f.dirs.known) != 0 {
		t.Errorf("%d directories are known after all were forgotten", len(f.dirs.known))
	}
}

// slow is a catalog that lists when it is told to.
type slow struct {
	*world
	began, end chan struct{}
}

func (s *slow) List(ctx context.Context, scan int64, dir catalog.ID, fn func(*catalog.Entry) error) error {
	s.began <- struct{}{}
	select {
	case <-s.end:
		return s.world.List(ctx, scan, dir, fn)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestListingIsLoadedOnceForAllAndEndsWhenNobodyWaits(t *testing.T) {
	w := newWorld()
	k := dirKey{0, w.scan(0, "host", "/home")}
	w.file(0, k.dir, "file", nil)
	s := &slow{world: w, began: make(chan struct{}, 8), end: make(chan struct{})}
	c := newListings(s, 1<<20)
	c.after = func(context.Context, *listing) {}

	impatient, leave := context.WithCancel(t.Context())
	failed := make(chan error, 2)
	for range 2 {
		go func() { _, err := c.get(impatient, k); failed <- err }()
	}
	<-s.began
	eventually(t, "two wait for the listing", func() bool {
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.flights[k] != nil && c.flights[k].waiters == 2
	})
	leave()
	for range 2 {
		if err := <-failed; !errors.Is(err, context.Canceled) {
			t.Errorf("who left got %v", err)
		}
	}
	got := make(chan error, 2)
	for range 2 {
		go func() {
			l, err := c.get(t.Context(), k)
			if err == nil && len(l.items) != 1 {
				err = fmt.Errorf("%d items", len(l.items))
			}
			got <- err
		}()
	}
	close(s.end)
	for range 2 {
		if err := <-got; err != nil {
			t.Error(err)
		}
	}
	if n := len(s.began); n != 1 {
		t.Errorf("%d listings were begun after all had left, want 1", n)
	}
}

func TestNamesOutOfOrderOrImpossibleAreRefused(t *testing.T) {
	for _, names := range [][]string{{"b", "a"}, {"a", "a"}, {"x/y"}, {".."}, {""}} {
		var b builder
		var err error
		for _, n := range names {
			err = errors.Join(err, b.add(&catalog.Entry{ID: 1, Dir: 1, Ino: 1, Kind: catalog.File, Name: n}))
		}
		if err == nil {
			_, err = b.listing(dirKey{})
		}
		if !errors.Is(err, catalog.ErrInvalid) {
			t.Errorf("%q: %v, want ErrInvalid", names, err)
		}
	}
}

func BenchmarkGetXAttr(b *testing.B) {
	w := newWorld()
	dir := w.dir(0, w.scan(0, "host", "/home"), "dir")
	file := w.file(0, dir, "file", nil)
	f := w.unmounted(b, Options{})
	if _, err := f.listings.get(b.Context(), dirKey{0, dir}); err != nil {
		b.Fatal(err)
	}
	h := &fuse.InHeader{NodeId: fileNode(file.ID)}
	b.ReportAllocs()
	for b.Loop() {
		if _, st := f.GetXAttr(nil, h, "security.capability", nil); st != fuse.ENODATA {
			b.Fatal(st)
		}
	}
}

func BenchmarkRead(b *testing.B) {
	w := newWorld()
	dir := w.dir(0, w.scan(0, "host", "/home"), "dir")
	file := w.file(0, dir, "file", make([]byte, 4096))
	f := w.unmounted(b, Options{})
	f.reader = blanks{}
	if _, err := f.listings.get(b.Context(), dirKey{0, dir}); err != nil {
		b.Fatal(err)
	}
	in, buf := &fuse.ReadIn{InHeader: fuse.InHeader{NodeId: fileNode(file.ID)}}, make([]byte, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if _, st := f.Read(nil, in, buf); st != fuse.OK {
			b.Fatal(st)
		}
	}
}

func BenchmarkReadDirPlus(b *testing.B) {
	const files = 1000
	w := newWorld()
	dir := w.dir(0, w.scan(0, "host", "/home"), "dir")
	for i := range files {
		w.file(0, dir, fmt.Sprintf("file-%06d", i), nil)
	}
	f := w.unmounted(b, Options{})
	node, _ := packDir(dirKey{0, dir})
	buf := make([]byte, 256<<10)
	b.ReportAllocs()
	for b.Loop() {
		out := fuse.NewDirEntryList(buf, 0)
		if st := f.ReadDirPlus(nil, &fuse.ReadIn{InHeader: fuse.InHeader{NodeId: node}}, out); st != fuse.OK || out.Offset != files+2 {
			b.Fatal(st, out.Offset)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/files, "ns/entry")
}
