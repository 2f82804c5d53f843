package fs

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// Server serves one mount, until it is unmounted.
type Server struct {
	mountpoint string
	done       chan struct{}
}

// Mount mounts the scans of a catalog and returns when the mount is ready. ctx matters for that time only. If the server's
// process dies, the mount stays, and everything in it fails with ENOTCONN until it is unmounted.
func Mount(ctx context.Context, cat Catalog, reader Reader, o Options) (*Server, error) {
	o.setDefaults()
	mountpoint, err := checkMountpoint(o.Mountpoint)
	if err != nil {
		return nil, err
	}
	f := newFilesystem(cat, reader, o)
	f.heed = func(pid uint32) bool { return heedInterrupt(mountpoint, pid) }
	if err := f.scans.first(ctx); err != nil {
		return nil, fmt.Errorf("read the list of scans: %w", err)
	}
	done, err := Serve(f, mountpoint, KernelOptions(o.Source, o.AllowOther, o.Log))
	if err != nil {
		return nil, err
	}
	s := &Server{mountpoint: mountpoint, done: make(chan struct{})}
	go func() {
		defer close(s.done)
		<-done
		f.scans.close()
	}()
	return s, nil
}

func newFilesystem(cat Catalog, reader Reader, o Options) *filesystem {
	f := &filesystem{
		RawFileSystem: fuse.NewDefaultRawFileSystem(),
		cat:           cat, reader: reader, log: o.Log,
		listings: newListings(cat, o.ListingBytes),
		values:   newValues(cat),

		complaints: complaints{now: time.Now},
		heed:       func(uint32) bool { return true },
	}
	f.listings.after = f.values.prefetch
	f.scans = &scans{
		cat: cat, log: o.Log, interval: o.Interval, sync: o.Refresh, location: o.Location,
		dropped: f.listings.drop, ids: map[string]uint64{},
	}
	f.scans.stop, f.scans.stopSync = context.WithCancel(context.Background())
	return f
}

// Serve mounts any raw file system and serves it; the channel is closed when it is unmounted. It is what Mount does,
// for the do-nothing server too.
func Serve(raw fuse.RawFileSystem, mountpoint string, o *fuse.MountOptions) (<-chan struct{}, error) {
	server, err := fuse.NewServer(raw, mountpoint, o)
	if err != nil {
		return nil, fmt.Errorf("mount on %q: %w", mountpoint, explain(err, o))
	}
	closeOnExec()
	done := make(chan struct{})
	go func() {
		defer close(done)
		server.Serve()
	}()
	if err := server.WaitMount(); err != nil {
		return nil, fmt.Errorf("mount on %q: %w", mountpoint, errors.Join(err, Unmount(mountpoint, true)))
	}
	setReadAhead(mountpoint)
	return done, nil
}

// explain adds what can be done about it to an error of mounting.
func explain(err error, o *fuse.MountOptions) error {
	if fd, derr := os.OpenFile("/dev/fuse", os.O_RDWR, 0); derr != nil {
		return fmt.Errorf("FUSE cannot be used (is the kernel module loaded, and may this container have /dev/fuse?): %w", derr)
	} else if cerr := fd.Close(); cerr != nil {
		return cerr
	}
	if o.AllowOther && os.Geteuid() != 0 {
		return fmt.Errorf("%w (users may let others in only if /etc/fuse.conf says user_allow_other)", err)
	}
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w (the mountpoint must belong to you, and the package fuse3 must be installed)", err)
	}
	return err
}

// checkMountpoint makes sure that nothing will be hidden by the mount, and returns its path without symlinks.
func checkMountpoint(path string) (string, error) {
	if path == "" {
		return "", errors.New("mount: no mountpoint given")
	}
	names, err := os.ReadDir(path)
	switch {
	case errors.Is(err, syscall.ENOTCONN):
		return "", fmt.Errorf("mount: a server that is dead was mounted on %q; unmount it with `bus3 umount` first", path)
	case errors.Is(err, os.ErrNotExist):
		return "", fmt.Errorf("mount: the directory %q does not exist; create it first", path)
	case errors.Is(err, syscall.ENOTDIR):
		return "", fmt.Errorf("mount: %q is not a directory", path)
	case err != nil:
		return "", fmt.Errorf("mount: %w", err)
	}
	abs, err := filepath.Abs(path)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return "", fmt.Errorf("mount: %w", err)
	}
	if m, err := findMount(abs); err == nil && m.bus3() {
		return "", fmt.Errorf("mount: bus3 is already mounted on %q", path)
	}
	if len(names) > 0 {
		return "", fmt.Errorf("mount: the directory %q is not empty; mounting would hide what is in it", path)
	}
	return abs, nil
}

// Mountpoint is the absolute path of the mount, without symlinks.
func (s *Server) Mountpoint() string { return s.mountpoint }

// Wait returns when the file system has been unmounted, by whomever.
func (s *Server) Wait() { <-s.done }

// Done is closed when the file system has been unmounted.
func (s *Server) Done() <-chan struct{} { return s.done }

// Unmount unmounts and waits for the end of serving. While somebody uses the mount it does nothing and returns ErrBusy:
// a server that ends none the less leaves a mount in which everything fails, which is better than an empty directory.
func (s *Server) Unmount() error {
	select {
	case <-s.done:
		return nil
	default:
	}
	if err := Unmount(s.mountpoint, false); err != nil && !errors.Is(err, ErrNotMounted) {
		return err
	}
	<-s.done
	return nil
}

func stack() string { return string(debug.Stack()) }
