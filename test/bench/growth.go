package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
)

// growth measures backups of more and more files, of 4 KiB each.
func (b *bench) growth(ctx context.Context) error {
	for _, n := range b.set.Growth {
		if b.wants(growthName("first", n), growthName("unchanged", n)) {
			if err := b.growTo(ctx, n); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) growTo(ctx context.Context, n int) (err error) {
	dir := filepath.Join(b.dir, "corpus", "growth")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := manyFiles(dir, n, max(n/1000, 1), 4096); err != nil {
		return err
	}
	for range b.set.Repeat {
		for _, c := range b.set.Catalogs {
			if err := b.growOnce(ctx, n, dir, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (b *bench) growOnce(ctx context.Context, n int, dir, catalog string) (err error) {
	t, err := b.newBus3(ctx, catalog)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.dropDatabase(context.Background(), t), t.remove()) }()
	empty, err := t.catalogBytes(ctx)
	if err != nil {
		return err
	}
	first, err := t.backup(dir).run(ctx)
	if err != nil {
		return err
	}
	told, err := summary(first.stdout)
	if err != nil {
		return err
	}
	size, err := t.catalogBytes(ctx)
	if err != nil {
		return err
	}
	b.add(growthName("first", n), t.name(), first.seconds)
	b.add(growthName("stored", n), t.name(), float64(told.Packed)/mebibyte)
	b.add(growthName("entry rows", n), t.name(), float64(told.Opened))
	b.add(growthName("catalog bytes per file", n), t.name(), float64(size-empty)/float64(n))
	again, err := t.backup(dir).run(ctx)
	if err != nil {
		return err
	}
	b.add(growthName("unchanged", n), t.name(), again.seconds)
	b.add(growthName("memory of backup", n), t.name(), max(first.peakMiB, again.peakMiB))
	return b.findAll(ctx, t, n)
}

// findAll walks over the whole mount.
func (b *bench) findAll(ctx context.Context, t *bus3, n int) error {
	r := &round{bench: b, peaks: map[tool]float64{}}
	err := r.inMount(ctx, t, t.at("mnt"), func(m *served, dir string) error {
		b.add(growthName("mount ready", n), t.name(), m.ready)
		s, err := sh(`find "$1" -printf '%p %s\n' >/dev/null`, dir).run(ctx)
		b.add(growthName("find in the mount", n), t.name(), s.seconds)
		return err
	})
	b.add(growthName("memory of mount after find", n), t.name(), r.peaks[t])
	return err
}

// newBus3 makes a repository of bus3 beside the rounds.
func (b *bench) newBus3(ctx context.Context, catalog string) (*bus3, error) {
	p, err := b.newPlace(ctx, b.s3.Endpoint())
	if err != nil {
		return nil, err
	}
	t := &bus3{place: p, b: b, catalog: catalog}
	return t, t.create(ctx)
}
