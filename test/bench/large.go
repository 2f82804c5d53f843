package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// large measures a file of 100 GiB: a third of its data is unique, the rest repeats it, and all else is holes.
func (b *bench) large(ctx context.Context) (err error) {
	if !b.wants("large backup") {
		return nil
	}
	dir := filepath.Join(b.dir, "corpus", "large")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	name := filepath.Join(dir, "large")
	middle, err := b.makeLarge(name)
	if err != nil {
		return err
	}
	for _, c := range b.set.Catalogs {
		if err := b.backupLarge(ctx, c, name, middle); err != nil {
			return err
		}
	}
	return nil
}

// makeLarge makes the file, in as many stretches as there are GiB, and returns where the data of the middle one begins.
func (b *bench) makeLarge(name string) (middle int64, err error) {
	f, err := os.Create(name)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	stretches := int64(b.set.LargeGiB)
	if err := f.Truncate(stretches << 30); err != nil {
		return 0, err
	}
	data := int64(b.set.DataMiB) << 20 / stretches
	for i := range stretches {
		seed := 1000 + uint64(i%max(stretches/3, 1)) // each stretch is there three times
		at := io.NewOffsetWriter(f, i<<30)
		if _, err := io.CopyN(at, noise(seed), data); err != nil {
			return 0, err
		}
	}
	return stretches / 2 << 30, nil
}

func (b *bench) backupLarge(ctx context.Context, catalog, name string, middle int64) (err error) {
	t, err := b.newBus3(ctx, catalog)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.dropDatabase(context.Background(), t), t.remove()) }()
	if err := b.largeStep(ctx, t, filepath.Dir(name), "large backup"); err != nil {
		return err
	}
	if err := overwrite(name, middle+int64(b.set.DataMiB)<<19/int64(b.set.LargeGiB), uint64(len(catalog))); err != nil {
		return err
	}
	return b.largeStep(ctx, t, filepath.Dir(name), "large backup, 1 MiB changed")
}

func (b *bench) largeStep(ctx context.Context, t *bus3, dir, row string) error {
	s, err := t.backup(dir).run(ctx)
	if err != nil {
		return err
	}
	told, err := summary(s.stdout)
	if err != nil {
		return err
	}
	b.add(row, t.name(), s.seconds)
	b.add(row+": stored", t.name(), float64(told.Packed)/mebibyte)
	b.add(row+": memory", t.name(), s.peakMiB)
	return nil
}

// overwrite writes 1 MiB of noise into a file.
func overwrite(name string, off int64, seed uint64) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = io.CopyN(io.NewOffsetWriter(f, off), noise(seed), mebibyte)
	return errors.Join(err, f.Close())
}
