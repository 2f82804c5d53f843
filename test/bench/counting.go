package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// counting measures how many requests the steps need, once, for all tools.
func (b *bench) counting(ctx context.Context, c *corpus) (err error) {
	wanted := false
	for i := range b.rows {
		row := b.rows[i].Name
		wanted = wanted || b.wants(row) && strings.HasPrefix(row, "requests ") && strings.Contains(row, " "+c.name)
	}
	if !wanted {
		return nil
	}
	b.say("-- %s, requests", c.name)
	f, err := newFront(b.s3.Endpoint())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.close()) }()
	for _, newTool := range b.tools() {
		if err := b.countOne(ctx, c, f, newTool); err != nil {
			return err
		}
	}
	return nil
}

// countOne counts for one tool.
func (b *bench) countOne(ctx context.Context, c *corpus, f *front, newTool maker) (err error) {
	p, err := b.newPlace(ctx, f.endpoint)
	if err != nil {
		return err
	}
	t := newTool(p)
	defer func() { err = errors.Join(err, b.dropDatabase(context.Background(), t), p.remove()) }()
	if err := t.create(ctx); err != nil || !archives(t) {
		return err
	}
	r := &round{bench: b, corpus: c, peaks: map[tool]float64{}}
	for _, step := range []func(context.Context, *front, tool, *place) error{r.countBackups, r.countListing, r.countReads} {
		if err := step(ctx, f, t, p); err != nil {
			return err
		}
	}
	return nil
}

const mebibyte = 1 << 20

func (r *round) countBackups(ctx context.Context, f *front, t tool, _ *place) error {
	row := "requests backup " + r.corpus.name
	f.reset()
	if _, err := t.backup(r.corpus.dir).run(ctx); err != nil {
		return err
	}
	r.add(row+": MiB per PUT", t.name(), float64(f.putBytes.Load())/mebibyte/float64(max(f.puts.Load(), 1)))
	f.reset()
	if _, err := t.backup(r.corpus.dir).run(ctx); err != nil {
		return err
	}
	r.add(row+", unchanged", t.name(), float64(f.total()))
	return nil
}

func (r *round) countListing(ctx context.Context, f *front, t tool, p *place) error {
	row := "requests ls -lR " + r.corpus.name + ": GETs"
	if !r.wants(row) || r.leavesOut(t, row) {
		return nil
	}
	return r.inMount(ctx, t, p.at("mnt"), func(_ *served, dir string) error {
		f.reset()
		_, err := lsCommand(dir).run(ctx)
		r.add(row, t.name(), float64(f.gets.Load()))
		return err
	})
}

func (r *round) countReads(ctx context.Context, f *front, t tool, p *place) error {
	row := fmt.Sprintf("requests cp -a %s: GETs", r.corpus.name)
	if r.corpus.name == "big" {
		row = "requests 1 MiB of big: GETs"
	}
	if !r.wants(row) || r.leavesOut(t, row) {
		return nil
	}
	return r.inMount(ctx, t, p.at("mnt"), func(_ *served, dir string) error {
		f.reset()
		if r.corpus.name == "big" {
			if err := readMiddle(filepath.Join(dir, "big-0")); err != nil {
				return err
			}
			r.add(row, t.name(), float64(f.gets.Load()))
			r.add("requests 1 MiB of big: MiB", t.name(), float64(f.gotBytes.Load())/mebibyte)
			return nil
		}
		dest := p.at("copy")
		_, err := copyCommand(dir, dest).run(ctx)
		r.add(row, t.name(), float64(f.gets.Load()))
		return errors.Join(err, os.RemoveAll(dest))
	})
}

// readMiddle reads 1 MiB out of the middle of a file.
func readMiddle(name string) (err error) {
	h, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { _ = h.Close() }() // it was only read
	info, err := h.Stat()
	if err != nil {
		return err
	}
	_, err = h.ReadAt(make([]byte, mebibyte), info.Size()/2)
	return err
}
