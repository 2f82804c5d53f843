package s3store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog/failpoint"
)

// temporaries is where objects are written before they get their name. Keys cannot begin with a dot, and listings
// leave out what does.
const temporaries = ".tmp"

// oldAge is the age at which a temporary file can only be the leftover of a crash.
const oldAge = 24 * time.Hour

// Put stores body under key.
func (d *Dir) Put(ctx context.Context, key string, body []byte) error {
	return d.store(ctx, key, body, func(root *os.Root, temp string) error {
		failpoint.Hit("dir.before-rename")
		defer failpoint.Hit("dir.after-rename")
		return root.Rename(temp, key)
	})
}

// PutNew stores body under key, or returns ErrExists.
func (d *Dir) PutNew(ctx context.Context, key string, body []byte) error {
	return d.store(ctx, key, body, func(root *os.Root, temp string) error {
		failpoint.Hit("dir.before-link")
		defer failpoint.Hit("dir.after-link")
		return publishNew(root, temp, key)
	})
}

// store writes body to a temporary file and publishes it under key, all of it durable.
func (d *Dir) store(ctx context.Context, key string, body []byte, publish func(root *os.Root, temp string) error) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	d.requests.add(PUT)
	if err := d.publish(ctx, key, body, publish); err != nil {
		if errors.Is(err, fs.ErrExist) {
			err = ErrExists
		}
		return d.named("put", key, plainRefusal(err)) // should a directory be missing, that is no missing object
	}
	return nil
}

func (d *Dir) publish(ctx context.Context, key string, body []byte, publish func(root *os.Root, temp string) error) error {
	root, err := d.create()
	if err != nil {
		return err
	}
	if err := d.ensure(root, path.Dir(key)); err != nil {
		return err
	}
	temp := temporaries + "/" + strings.ToLower(rand.Text())
	err = d.write(ctx, root, temp, body)
	if err == nil {
		err = publish(root, temp)
	}
	if removeErr := root.Remove(temp); err == nil && removeErr != nil && !errors.Is(removeErr, fs.ErrNotExist) {
		err = removeErr
	}
	if err != nil {
		return err
	}
	return syncDir(root, path.Dir(key))
}

// publishNew gives temp the name key unless somebody has it. It links, and where a file system has no links, it renames.
func publishNew(root *os.Root, temp, key string) error {
	err := root.Link(temp, key)
	switch {
	case errors.Is(err, fs.ErrExist):
		// NFS: the link was made, its answer was lost, and the client asked again.
		ours, tempErr := root.Stat(temp)
		theirs, keyErr := root.Stat(key)
		if tempErr == nil && keyErr == nil && os.SameFile(ours, theirs) {
			return nil
		}
		return ErrExists
	case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOTSUP), errors.Is(err, syscall.ENOSYS):
		return renameNew(root, temp, key)
	}
	return err
}

func renameNew(root *os.Root, temp, key string) error {
	from, err := root.Open(path.Dir(temp))
	if err != nil {
		return err
	}
	defer closeFile(from)
	to, err := root.Open(path.Dir(key))
	if err != nil {
		return err
	}
	defer closeFile(to)
	err = unix.Renameat2(int(from.Fd()), path.Base(temp), int(to.Fd()), path.Base(key), unix.RENAME_NOREPLACE)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOSYS) {
		return fmt.Errorf("the file system has neither links nor renames that do not replace: %w: %w", ErrUnconditional, err)
	}
	return err
}

// write makes a durable file of body.
func (d *Dir) write(ctx context.Context, root *os.Root, name string, body []byte) error {
	f, err := root.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return err
	}
	err = d.fill(ctx, f, body)
	failpoint.Hit("dir.before-fsync")
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (d *Dir) fill(ctx context.Context, f *os.File, body []byte) error {
	const most = 4 << 20 // so that a cancelled context ends a write to a slow disk soon
	for len(body) > 0 {
		piece := d.upload.cut(min(len(body), most))
		if err := d.upload.wait(ctx, piece); err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := f.Write(body[:piece])
		d.requests.move(PUT, n)
		if err != nil {
			return err
		}
		body = body[piece:]
	}
	return ctx.Err()
}

// create is open for writers: it makes the directory if there is none yet, and sweeps old temporary files away, once.
func (d *Dir) create() (*os.Root, error) {
	root, err := d.open()
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(d.path, 0o777); err != nil {
			return nil, err
		}
		root, err = d.open()
	}
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.swept {
		return root, nil
	}
	if err := root.MkdirAll(temporaries, 0o777); err != nil {
		return nil, err
	}
	d.swept = true
	return root, sweep(root)
}

// sweep removes temporary files that a crash left behind.
func sweep(root *os.Root) error {
	files, err := fs.ReadDir(root.FS(), temporaries)
	if err != nil {
		return err
	}
	for _, f := range files {
		info, err := f.Info()
		if err != nil || time.Since(info.ModTime()) < oldAge {
			continue
		}
		_ = root.Remove(temporaries + "/" + f.Name()) // another process may have been quicker; they do no harm
	}
	return nil
}

// ensure makes a directory and those above it, durably. What was made durable once is remembered.
func (d *Dir) ensure(root *os.Root, dir string) error {
	d.mu.Lock()
	known := d.safe[dir]
	d.mu.Unlock()
	if known {
		return nil
	}
	if err := root.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	for parent := dir; parent != "."; {
		parent = path.Dir(parent)
		if err := syncDir(root, parent); err != nil {
			return err
		}
	}
	if err := syncAbove(root.Name()); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.safe[dir] = true
	return nil
}

// syncDir makes the names in a directory durable.
func syncDir(root *os.Root, dir string) error {
	f, err := root.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

// syncAbove makes the name of the store's own directory durable, if its parent may be opened: it may be another's.
func syncAbove(name string) error {
	f, err := os.Open(path.Dir(name))
	if err != nil {
		return nil
	}
	defer closeFile(f)
	if err := f.Sync(); err != nil && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, syscall.EROFS) {
		return err
	}
	return nil
}

// Delete removes an object.
func (d *Dir) Delete(ctx context.Context, key string) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	d.requests.add(DELETE)
	if err := d.remove(key); err != nil && !errors.Is(plain(err), ErrNotExist) {
		return d.failed("delete", key, err)
	}
	return nil
}

func (d *Dir) remove(key string) error {
	root, err := d.open()
	if err != nil {
		return err
	}
	info, err := root.Lstat(key)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return ErrNotExist // names of directories are no objects
	}
	if err := root.Remove(key); err != nil {
		return err
	}
	return syncDir(root, path.Dir(key))
}
