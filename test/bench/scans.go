package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// scans measures backups and listings of a tree that has been backed up more and more often; 1 % of it changes each time.
func (b *bench) scans(ctx context.Context) error {
	if !b.wants(scanName("backup with 1 % changed", b.set.Scans[0])) {
		return nil
	}
	for _, c := range b.set.Catalogs {
		if err := b.manyScans(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) manyScans(ctx context.Context, catalog string) (err error) {
	dir := filepath.Join(b.dir, "corpus", "scans")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	dirs := max(b.set.ScanTree/200, 1)
	if err := manyFiles(dir, b.set.ScanTree, dirs, 4096); err != nil {
		return err
	}
	t, err := b.newBus3(ctx, catalog)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.dropDatabase(context.Background(), t), t.remove()) }()
	if _, err := t.backup(dir).run(ctx); err != nil {
		return err
	}
	done := 1
	for _, n := range b.set.Scans {
		for ; done < n; done++ {
			if err := b.change(ctx, t, dir, done); err != nil {
				return err
			}
		}
		if err := b.afterScans(ctx, t, dir, n, &done); err != nil {
			return err
		}
	}
	return nil
}

// change changes 1 % of the files and backs up.
func (b *bench) change(ctx context.Context, t *bus3, dir string, round int) error {
	if err := b.touch(dir, round); err != nil {
		return err
	}
	_, err := t.backup(dir).run(ctx)
	return err
}

// touch gives 1 % of the files, others each time, new content.
func (b *bench) touch(dir string, round int) error {
	files, dirs := b.set.ScanTree, max(b.set.ScanTree/200, 1)
	data, source := make([]byte, 4096), noise(uint64(1_000_000+round))
	for i := range max(files/100, 1) {
		if _, err := io.ReadFull(source, data); err != nil {
			return err
		}
		number := (i*100 + round*37) % files
		name := filepath.Join(dir, fmt.Sprintf("d%05d", number%dirs), fmt.Sprintf("f%05d", number/dirs))
		if err := os.WriteFile(name, data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// afterScans measures with n scans in the repository. The backups that it times come on top: one for each repetition.
func (b *bench) afterScans(ctx context.Context, t *bus3, dir string, n int, done *int) error {
	size, err := t.catalogBytes(ctx)
	if err != nil {
		return err
	}
	b.add(scanName("catalog", n), t.name(), float64(size)/mebibyte)
	for range b.set.Repeat {
		if err := b.listOldAndNew(ctx, t, n); err != nil {
			return err
		}
	}
	for range b.set.Repeat {
		if err := b.touch(dir, *done); err != nil {
			return err
		}
		s, err := t.backup(dir).run(ctx)
		if err != nil {
			return err
		}
		*done++
		b.add(scanName("backup with 1 % changed", n), t.name(), s.seconds)
	}
	return nil
}

// listOldAndNew lists the oldest and the newest scan, each in a mount that has seen nothing else.
func (b *bench) listOldAndNew(ctx context.Context, t *bus3, n int) error {
	r := &round{bench: b, peaks: map[tool]float64{}}
	for _, which := range []string{"oldest", "newest"} {
		err := r.inMount(ctx, t, t.at("mnt"), func(m *served, dir string) error {
			if which == "oldest" {
				dir = filepath.Join(m.point, "0")
				if err := b.listTop(ctx, t, m.point, n); err != nil {
					return err
				}
			}
			s, err := lsCommand(dir).run(ctx)
			b.add(scanName("ls -lR of the "+which, n), t.name(), s.seconds)
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// listTop lists the top of a fresh mount with n scans: names, and then attributes too.
func (b *bench) listTop(ctx context.Context, t *bus3, point string, n int) error {
	for _, flags := range [][]string{{}, {"-l"}} {
		s, err := command{args: slices.Concat([]string{"ls"}, flags, []string{point})}.run(ctx)
		if err != nil {
			return err
		}
		b.add(scanName(strings.Join(append([]string{"ls"}, flags...), " ")+" of the root", n), t.name(), s.seconds)
	}
	return nil
}
