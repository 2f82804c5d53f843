package cache

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// DefaultDisk is how large a disk cache grows if Options do not say.
const DefaultDisk = 4 << 30

const (
	// diskQueue is how many blocks may wait to be written; when the disk is slower than the store, blocks are left out.
	diskQueue = 4
	// touchAfter is how old a block's time of use may be before a use renews it.
	touchAfter = 10 * time.Minute
	// pause is for how long nothing is written after an error: a full disk does not get better with each try.
	pause = 30 * time.Second
	// temporary is what the names of unfinished blocks begin with.
	temporary = ".new-"
)

// disk keeps blocks of packs in a directory as they are in the store: encrypted. One file each, named by pack and block,
// which is only ever there complete; any number of processes may share the directory. It is never needed: what cannot be
// read is read from the store, what cannot be written is not kept. It does not verify: a damaged block is noticed when
// its segments are opened, and removed.
type disk struct {
	dir   string
	limit int64
	pool  *pool
	queue chan offer
	size  atomic.Int64 // bytes, as far as known: other processes write too
	bad   atomic.Int64 // until when nothing is written, ns since 1970
}

type offer struct {
	k key
	r *resident
}

func openDisk(dir string, limit int64, p *pool) *disk {
	if limit == 0 {
		limit = DefaultDisk
	}
	return &disk{dir: dir, limit: limit, pool: p, queue: make(chan offer, diskQueue)}
}

// name is where a block is kept.
func (d *disk) name(k key) string {
	id := hex.EncodeToString(k.pack[:])
	return filepath.Join(d.dir, id[:2], id+"-"+strconv.FormatUint(uint64(k.number), 10))
}

// get gives a block of so many bytes; nil if it is not there as it should be.
func (d *disk) get(k key, size int64) *resident {
	f, err := os.Open(d.name(k))
	if err != nil {
		return nil
	}
	defer f.Close() //nolint:errcheck // it was only read
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return nil
	}
	if info.Size() != size {
		d.remove(k)
		return nil
	}
	buf, err := d.pool.get(int(size))
	if err != nil {
		return nil
	}
	if _, err := io.ReadFull(f, buf.bytes[:size]); err != nil {
		buf.release()
		return nil
	}
	if now := time.Now(); now.Sub(info.ModTime()) > touchAfter {
		_ = os.Chtimes(f.Name(), now, now) // not renewed: it goes earlier than it should
	}
	return &resident{buf: buf, data: buf.bytes[:size], cost: int64(len(buf.bytes))}
}

// remove drops a block that turned out to be damaged.
func (d *disk) remove(k key) {
	_ = os.Remove(d.name(k)) // what is left there is noticed again
}

// offer has a block written in the background, if the disk keeps up.
func (d *disk) offer(k key, r *resident) {
	if time.Now().UnixNano() < d.bad.Load() {
		return
	}
	r.buf.retain()
	select {
	case d.queue <- offer{k, r}:
	default:
		r.release()
	}
}

// write writes what is offered until ctx ends. It is the only one in this process who writes and evicts.
func (d *disk) write(ctx context.Context) {
	d.sweep(ctx)
	for {
		select {
		case o := <-d.queue:
			if err := d.keep(o); err != nil {
				d.bad.Store(time.Now().Add(pause).UnixNano())
				d.sweep(ctx)
			}
			o.r.release()
			if d.size.Load() > d.limit {
				d.sweep(ctx)
			}
		case <-ctx.Done():
			d.drain()
			return
		}
	}
}

func (d *disk) drain() {
	for {
		select {
		case o := <-d.queue:
			o.r.release()
		default:
			return
		}
	}
}

// keep writes one block: under another name first, so that nobody sees a part of it.
func (d *disk) keep(o offer) (err error) {
	name := d.name(o.k)
	if _, err := os.Lstat(name); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return fmt.Errorf("make a directory of the disk cache: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(name), temporary)
	if err != nil {
		return fmt.Errorf("write to the disk cache: %w", err)
	}
	_, err = f.Write(o.r.data)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write to the disk cache: %w", err), os.Remove(f.Name()))
	}
	d.size.Add(int64(len(o.r.data)))
	return nil
}

// isBlock tells whether a file in the directory is ours, so that nothing else is ever removed.
func isBlock(name string) bool {
	id, number, ok := strings.Cut(name, "-")
	if !ok || len(id) != 32 || number == "" {
		return false
	}
	_, err := hex.DecodeString(id)
	_, err2 := strconv.ParseUint(number, 10, 32)
	return err == nil && err2 == nil
}
