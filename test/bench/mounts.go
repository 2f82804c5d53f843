package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// listings is ls -lR in a fresh mount with nothing cached.
func (r *round) listings(ctx context.Context) error {
	row := "mount ls -lR " + r.corpus.name
	if !r.wants(row, "mount ready", "memory mount "+r.corpus.name) {
		return nil
	}
	for i, t := range r.tools {
		if r.leavesOut(t, row) {
			continue
		}
		point := r.places[i].at("mnt")
		err := r.inMount(ctx, t, point, func(m *served, dir string) error {
			if archives(t) {
				r.add("mount ready", t.name(), m.ready)
			}
			s, err := lsCommand(dir).run(ctx)
			r.add(row, t.name(), s.seconds)
			return err
		})
		if err != nil {
			return err
		}
	}
	if r.corpus.name == "big" {
		return nil
	}
	return r.inNothing(ctx, func(m *served) error {
		if r.corpus.name == "small50k" { // otherwise it reads the corpus first
			r.add("mount ready", limit, m.ready)
		}
		s, err := lsCommand(m.point).run(ctx)
		r.add(row, limit, s.seconds)
		return err
	})
}

// copyRow is the row of a copy out of the mount.
func copyRow(corpus string) string {
	if corpus == "big" {
		return "mount cp big"
	}
	return "mount cp -a " + corpus
}

// copies is cp -a out of a fresh mount with nothing cached.
func (r *round) copies(ctx context.Context) error {
	row, memory := copyRow(r.corpus.name), "memory mount "+r.corpus.name
	if !r.wants(row, memory) {
		return nil
	}
	for i, t := range r.tools {
		if r.leavesOut(t, row) {
			continue
		}
		dest := r.places[i].at("copy")
		err := r.inMount(ctx, t, r.places[i].at("mnt"), func(_ *served, dir string) error {
			s, err := copyCommand(dir, dest).run(ctx)
			r.add(row, t.name(), s.seconds)
			return err
		})
		if err := errors.Join(err, r.isWhole(dest)); err != nil {
			return err
		}
		r.add(memory, t.name(), r.peaks[t])
	}
	if r.corpus.name == "big" {
		return r.limitOfCopy(ctx, row)
	}
	dest := filepath.Join(r.dir, "copy")
	err := r.inNothing(ctx, func(m *served) error {
		s, err := copyCommand(m.point, dest).run(ctx)
		r.add(row, limit, s.seconds)
		r.add(memory, limit, peakMiB(m.cmd.Process.Pid))
		return err
	})
	return errors.Join(err, os.RemoveAll(dest))
}

// inMount mounts with nothing cached, does something with the directory that has the newest backup, and unmounts.
func (r *round) inMount(ctx context.Context, t tool, point string, do func(m *served, dir string) error) error {
	if err := t.cold(ctx); err != nil {
		return err
	}
	m, err := t.mount(point).serve(ctx, point)
	if err != nil {
		return err
	}
	dir, err := t.within(ctx, point)
	if err == nil {
		err = do(m, dir)
	}
	peak, endErr := m.end()
	r.peaks[t] = max(r.peaks[t], peak)
	return errors.Join(err, endErr)
}

// inNothing does something in a mount of the do-nothing server, which has the names and sizes of the corpus.
func (r *round) inNothing(ctx context.Context, do func(m *served) error) error {
	point := filepath.Join(r.dir, "nothing")
	c := command{args: []string{r.nothing, "-like", r.corpus.dir, point}}
	if r.corpus.name == "small50k" {
		const dirs = 50
		c = command{args: []string{r.nothing, "-dirs", fmt.Sprint(dirs), "-files", fmt.Sprint(r.set.Files / dirs), "-size", "4096", point}}
	}
	m, err := c.serve(ctx, point)
	if err != nil {
		return err
	}
	err = do(m)
	_, endErr := m.end()
	return errors.Join(err, endErr)
}
