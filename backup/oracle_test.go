package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/s3store/pack"
)

// record is all that a name is, on disk or in a scan.
type record struct {
	Kind     catalog.Kind
	Flags    catalog.Flag
	Mode     uint32
	UID, GID uint32
	Size     int64 // not of directories
	Mtime    int64
	Rdev     uint64
	Target   string
	Xattrs   string
	Digest   string // of a file's data
	Links    string // the first path of those that are one file
}

// tree is what a directory tree is: a record for each path below its root, "" for itself.
type tree map[string]record

// onDisk reads a tree from disk, with nothing of the code that is tested.
func onDisk(t testing.TB, root string) tree {
	t.Helper()
	out, links := make(tree), make(map[uint64]string)
	err := filepath.Walk(root, func(path string, _ os.FileInfo, err error) error {
		if err != nil {
			return err
		}
		var st syscall.Stat_t
		if err := syscall.Lstat(path, &st); err != nil {
			return err
		}
		rel, _ := filepath.Rel(root, path)
		if rel == "." {
			rel = ""
		}
		r := record{Mode: st.Mode & 0o7777, UID: st.Uid, GID: st.Gid, Mtime: st.Mtim.Nano(), Xattrs: diskXattrs(t, path)}
		switch st.Mode & syscall.S_IFMT {
		case syscall.S_IFDIR:
			r.Kind = catalog.Directory
		case syscall.S_IFLNK:
			r.Kind = catalog.Symlink
			r.Target, err = os.Readlink(path)
		case syscall.S_IFIFO:
			r.Kind = catalog.FIFO
		case syscall.S_IFSOCK:
			r.Kind = catalog.Socket
		case syscall.S_IFCHR:
			r.Kind, r.Rdev = catalog.CharDevice, uint64(st.Rdev)
		case syscall.S_IFREG:
			r.Kind = catalog.File
			var data []byte
			data, err = os.ReadFile(path)
			r.Digest = digest(data)
		}
		if r.Kind != catalog.Directory {
			r.Size = st.Size
		}
		if st.Nlink > 1 && r.Kind != catalog.Directory {
			if links[st.Ino] == "" {
				links[st.Ino] = rel
			}
			r.Links = links[st.Ino]
		}
		out[rel] = r
		return err
	})
	must(t, err)
	return out
}

func digest(b []byte) string { sum := sha256.Sum256(b); return hex.EncodeToString(sum[:8]) }

func diskXattrs(t testing.TB, path string) string {
	t.Helper()
	buf := make([]byte, 64<<10)
	n, err := unix.Llistxattr(path, buf)
	if errors.Is(err, unix.ENOTSUP) {
		return ""
	}
	must(t, err)
	var set []catalog.Xattr
	for name := range bytes.SplitSeq(bytes.TrimSuffix(buf[:n], []byte{0}), []byte{0}) {
		if len(name) == 0 {
			continue
		}
		value := make([]byte, 64<<10)
		n, err := unix.Lgetxattr(path, string(name), value)
		must(t, err)
		set = append(set, catalog.Xattr{Name: string(name), Value: value[:n]})
	}
	return string(catalog.EncodeXattrs(set))
}

// inScan reads a tree from the catalog and the store, with nothing of the code that is tested.
func (w *world) inScan(scan int64) tree {
	w.t.Helper()
	return w.read(scan, &oracle{segments: make(map[catalog.ID][]byte)})
}

// namesIn is inScan without the data of files.
func (w *world) namesIn(scan int64) tree {
	w.t.Helper()
	return w.read(scan, &oracle{namesOnly: true})
}

func (w *world) read(scan int64, o *oracle) tree {
	w.t.Helper()
	o.world, o.out, o.links = w, make(tree), make(map[catalog.ID]string)
	root, err := w.cat.Root(w.t.Context(), scan)
	must(w.t, err)
	must(w.t, o.add(w.t.Context(), scan, "", &root))
	return o.out
}

type oracle struct {
	*world
	out      tree
	links    map[catalog.ID]string
	seen     map[catalog.ID]string
	segments map[catalog.ID][]byte

	namesOnly bool
}

func (o *oracle) add(ctx context.Context, scan int64, path string, e *catalog.Entry) error {
	if _, twice := o.out[path]; twice {
		return fmt.Errorf("%q is there twice", path)
	}
	r := record{
		Kind: e.Kind, Flags: e.Flags, Mode: e.Mode, UID: e.UID, GID: e.GID, Mtime: e.Mtime, Rdev: e.Rdev, Target: e.Target,
	}
	if e.Kind != catalog.Directory {
		r.Size = e.Size
		if e.Nlink > 1 {
			if o.links[e.Ino] == "" {
				o.links[e.Ino] = path
			}
			r.Links = o.links[e.Ino]
		}
	}
	if e.Xattrs != 0 {
		err := o.cat.Values(ctx, []catalog.ID{e.Xattrs}, func(v *catalog.Value) error {
			r.Xattrs = string(v.Bytes)
			return nil
		})
		if err != nil {
			return err
		}
	}
	if e.Kind == catalog.File && !o.namesOnly {
		data, err := o.data(ctx, e)
		if err != nil {
			return fmt.Errorf("%q: %w", path, err)
		}
		r.Digest = digest(data)
	}
	o.out[path] = r
	if e.Kind != catalog.Directory {
		return nil
	}
	var children []catalog.Entry
	err := o.cat.List(ctx, scan, e.Ino, func(c *catalog.Entry) error {
		children = append(children, *c)
		return nil
	})
	if err != nil {
		return err
	}
	if o.seen == nil {
		o.seen = make(map[catalog.ID]string)
	}
	if before, twice := o.seen[e.Ino]; twice {
		return fmt.Errorf("%q and %q are one directory", before, path)
	}
	o.seen[e.Ino] = path
	for i := range children {
		if err := o.add(ctx, scan, filepath.Join(path, children[i].Name), &children[i]); err != nil {
			return err
		}
	}
	return nil
}

// data is a file's data, read and verified chunk by chunk.
func (o *oracle) data(ctx context.Context, e *catalog.Entry) ([]byte, error) {
	out := make([]byte, e.Size)
	put := func(off int64, p *catalog.Place) error {
		plain, err := o.chunk(ctx, p)
		if err != nil {
			return err
		}
		if off+int64(len(plain)) > e.Size {
			return fmt.Errorf("a chunk ends at %d of %d", off+int64(len(plain)), e.Size)
		}
		copy(out[off:], plain)
		return nil
	}
	switch {
	case e.Chunk != 0:
		count := 0
		err := o.cat.ChunkPlaces(ctx, []catalog.ID{e.Chunk}, func(p *catalog.Place) error { count++; return put(0, p) })
		if err == nil && count != 1 {
			err = fmt.Errorf("chunk %s is at %d places", e.Chunk, count)
		}
		return out, err
	case e.Content != 0:
		var pieces []catalog.PlacedPiece
		for from := int64(0); ; {
			n := len(pieces)
			err := o.cat.Pieces(ctx, e.Content, from, 100, func(p *catalog.PlacedPiece) error {
				pieces = append(pieces, *p)
				return nil
			})
			if err != nil {
				return nil, err
			}
			if len(pieces) == n {
				break
			}
			last := &pieces[len(pieces)-1]
			from = last.Offset + int64(last.Place.Length)
		}
		for i := range pieces {
			if err := put(pieces[i].Offset, &pieces[i].Place); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

func (o *oracle) chunk(ctx context.Context, p *catalog.Place) ([]byte, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	plain := o.segments[p.Segment.ID]
	if plain == nil {
		sealed := make([]byte, p.Segment.Stored)
		if _, err := o.store.GetRange(ctx, pack.Key(p.Pack.Key), p.Segment.Offset, sealed); err != nil {
			return nil, err
		}
		box := pack.SegmentBox(o.repo.Keys(), p.Pack.Key)
		var err error
		if plain, err = pack.OpenSegment(nil, box, p.Segment.Number, sealed, p.Segment.Length); err != nil {
			return nil, err
		}
		o.segments[p.Segment.ID] = plain
	}
	chunk := plain[p.Offset : p.Offset+p.Length]
	if o.repo.Keys().HashChunk(chunk) != p.Hash {
		return nil, fmt.Errorf("chunk %s has other bytes than its hash says", p.Chunk)
	}
	return chunk, nil
}

// same demands that a scan is what was on disk.
func (w *world) same(scan int64, want tree) {
	w.t.Helper()
	if diff := cmp.Diff(want, w.inScan(scan)); diff != "" {
		w.t.Fatalf("scan %d is not what was on disk (-disk +scan):\n%s", scan, diff)
	}
}

// wholesome demands that the catalog holds together after a scan: no reference leads nowhere, and every row that is
// open can be reached from the root.
func (w *world) wholesome(scan int64) {
	w.t.Helper()
	must(w.t, w.cat.Dangling(w.t.Context(), func(d catalog.Dangling) error { return fmt.Errorf("dangling: %+v", d) }))
	s, err := w.cat.Scan(w.t.Context(), scan)
	must(w.t, err)
	conn, err := sqlite.OpenConn(w.db, sqlite.OpenReadOnly)
	must(w.t, err)
	defer conn.Close() //nolint:errcheck // nothing was written
	open := 0
	err = sqlitex.Execute(conn, "SELECT count(*) FROM entry WHERE last IS NULL AND source = ?", &sqlitex.ExecOptions{
		Args:       []any{int64(s.Source.ID)},
		ResultFunc: func(stmt *sqlite.Stmt) error { open = stmt.ColumnInt(0); return nil },
	})
	must(w.t, err)
	if reached := len(w.namesIn(scan)); reached != open {
		w.t.Fatalf("%d rows are open after scan %d, %d of them can be reached", open, scan, reached)
	}
}
