package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
)

// corpus is a tree that is backed up.
type corpus struct {
	name string
	dir  string
	size tally
}

// tally is what a tree has.
type tally struct{ files, bytes int64 }

// count counts the regular files below a directory.
func count(dir string) (t tally, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		t.files++
		t.bytes += info.Size()
		return nil
	})
	return t, err
}

// noise is an endless stream of bytes that do not compress, the same for each seed.
func noise(seed uint64) io.Reader {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(seed >> (8 * i))
	}
	return rand.NewChaCha8(key)
}

// makeCorpus makes one of the three.
func (b *bench) makeCorpus(ctx context.Context, name string) (*corpus, error) {
	c := &corpus{name: name, dir: filepath.Join(b.dir, "corpus", name)}
	if err := os.MkdirAll(c.dir, 0o755); err != nil {
		return nil, err
	}
	var err error
	switch name {
	case "small50k":
		err = manyFiles(c.dir, b.set.Files, 50, 4096)
	case "big":
		for i := range b.set.Big {
			err = errors.Join(err, oneFile(filepath.Join(c.dir, fmt.Sprintf("big-%d", i)), uint64(i+1), int64(b.set.BigMiB)<<20))
		}
	case "usr":
		for _, dir := range b.set.Usr {
			_, copyErr := command{args: []string{"cp", "-a", dir, c.dir}}.run(ctx)
			err = errors.Join(err, copyErr)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("make the corpus %s: %w", name, err)
	}
	c.size, err = count(c.dir)
	b.say("%s: %d files, %d MiB", name, c.size.files, c.size.bytes>>20)
	return c, err
}

// manyFiles makes files of noise in some directories.
func manyFiles(dir string, files, dirs, size int) error {
	return someFiles(noise(uint64(files)), dir, files, dirs, size)
}

// someFiles makes files of what it reads in some directories.
func someFiles(source io.Reader, dir string, files, dirs, size int) error {
	data := make([]byte, size)
	for d := range dirs {
		sub := filepath.Join(dir, fmt.Sprintf("d%05d", d))
		if err := os.Mkdir(sub, 0o755); err != nil {
			return err
		}
		for f := range files*(d+1)/dirs - files*d/dirs {
			if _, err := io.ReadFull(source, data); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(sub, fmt.Sprintf("f%05d", f)), data, 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}

// oneFile makes a file of noise.
func oneFile(name string, seed uint64, size int64) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, noise(seed), size)
	return errors.Join(err, f.Close())
}
