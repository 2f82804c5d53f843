package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// round is one time through all steps of a corpus, for all tools. Every step goes from tool to tool, so that what the
// machine does besides hits all alike.
type round struct {
	*bench
	corpus *corpus
	tools  []tool
	places []*place
	peaks  map[tool]float64 // of the mounts
}

// corpora measures the rows of the three corpora.
func (b *bench) corpora(ctx context.Context) error {
	for _, name := range []string{"small50k", "big", "usr"} {
		if !b.wantsCorpus(name) {
			continue
		}
		if err := b.oneCorpus(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) wantsCorpus(name string) bool {
	for i := range b.rows {
		if row := b.rows[i].Name; b.wants(row) && (strings.Contains(row, " "+name) || row == "mount ready" && name == "small50k") {
			return true
		}
	}
	return false
}

func (b *bench) oneCorpus(ctx context.Context, name string) (err error) {
	if err := b.checkRoom(name); err != nil {
		return err
	}
	c, err := b.makeCorpus(ctx, name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(c.dir)) }()
	for i := range b.set.Repeat {
		b.say("-- %s, round %d of %d", name, i+1, b.set.Repeat)
		if err := b.oneRound(ctx, c, i); err != nil {
			return err
		}
		if err := b.distance(ctx, c); err != nil {
			return err
		}
	}
	return b.counting(ctx, c)
}

func (b *bench) oneRound(ctx context.Context, c *corpus, number int) (err error) {
	read := b.wants("restore "+c.name, "mount ready", "mount ls -lR "+c.name, "mount cp -a "+c.name, "mount cp "+c.name, "memory mount "+c.name)
	if !read && !b.wants("backup "+c.name, "memory backup "+c.name, "backup usr: cpu", "backup usr, unchanged") {
		return nil
	}
	r := &round{bench: b, corpus: c, peaks: map[tool]float64{}}
	defer func() { err = errors.Join(err, r.close()) }()
	all := b.tools()
	for i := range all {
		if err := r.enter(ctx, all[(i+number)%len(all)]); err != nil { // who is first changes
			return err
		}
	}
	for _, step := range []func(context.Context) error{r.backups, r.unchanged, r.restores, r.listings, r.copies} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// enter makes a tool's repository.
func (r *round) enter(ctx context.Context, newTool maker) error {
	p, err := r.newPlace(ctx, r.s3.Endpoint())
	if err != nil {
		return err
	}
	t := newTool(p)
	if !r.hasStep(t) {
		return p.remove()
	}
	r.tools, r.places = append(r.tools, t), append(r.places, p)
	return t.create(ctx)
}

// hasStep tells whether a row of the corpus was asked for from which the tool is not left out.
func (r *round) hasStep(t tool) bool {
	for i := range r.rows {
		row := r.rows[i].Name
		if r.wants(row) && (strings.Contains(row, " "+r.corpus.name) || row == "mount ready") && !r.leavesOut(t, row) {
			return true
		}
	}
	return false
}

func (r *round) close() error {
	var all []error
	for i, p := range r.places {
		all = append(all, r.dropDatabase(context.Background(), r.tools[i]), p.remove())
	}
	return errors.Join(all...)
}

// backups is the first backup of the corpus.
func (r *round) backups(ctx context.Context) error {
	row := "backup " + r.corpus.name
	for i, t := range r.tools {
		s, err := t.backup(r.corpus.dir).run(ctx)
		if err != nil {
			return err
		}
		if !archives(t) {
			continue
		}
		r.add(row, t.name(), s.seconds)
		r.add(row+": cpu", t.name(), s.cpu)
		r.add("memory "+row, t.name(), s.peakMiB)
		stored, err := count(r.places[i].objects)
		if err != nil {
			return err
		}
		r.add(row+": stored", t.name(), float64(stored.bytes)/mebibyte)
		r.add(row+": objects", t.name(), float64(stored.files))
	}
	if !r.wants(row) {
		return nil
	}
	return r.limitOfBackup(ctx, row)
}

// unchanged is a backup of what has not changed.
func (r *round) unchanged(ctx context.Context) error {
	row := "backup " + r.corpus.name + ", unchanged"
	if r.corpus.name != "usr" || !r.wants(row, row+": cpu") {
		return nil
	}
	for _, t := range r.tools {
		if !archives(t) || r.leavesOut(t, row) {
			continue
		}
		s, err := t.backup(r.corpus.dir).run(ctx)
		if err != nil {
			return err
		}
		r.add(row, t.name(), s.seconds)
		r.add(row+": cpu", t.name(), s.cpu)
		if _, ours := t.(*bus3); !ours {
			continue
		}
		told, err := summary(s.stdout)
		if err != nil {
			return err
		}
		r.add(row+": entry rows", t.name(), float64(told.Opened+told.Closed))
		r.add(row+": objects", t.name(), float64(told.Objects))
	}
	return r.limitOf(ctx, row, sh(`find "$1" -printf '%p %s %T@ %C@ %i %m %U %G\n' >/dev/null`, r.corpus.dir))
}

// restores is a restore of everything, with nothing cached.
func (r *round) restores(ctx context.Context) error {
	row := "restore " + r.corpus.name
	if !r.wants(row, row+": cpu") {
		return nil
	}
	for i, t := range r.tools {
		if !archives(t) || r.leavesOut(t, row) {
			continue
		}
		if err := t.cold(ctx); err != nil {
			return err
		}
		dest := r.places[i].at("restored")
		c, err := t.restore(ctx, dest)
		if err != nil {
			return err
		}
		s, err := c.run(ctx)
		if err != nil {
			return err
		}
		r.add(row, t.name(), s.seconds)
		r.add(row+": cpu", t.name(), s.cpu)
		if err := r.isWhole(dest); err != nil {
			return err
		}
	}
	return r.limitOfCopy(ctx, row)
}

// isWhole sees to it that nobody is fast by leaving something out, and removes the copy.
func (r *round) isWhole(dest string) error {
	size, err := count(dest)
	if err == nil && size != r.corpus.size {
		err = errors.New(dest + " has not all that the corpus " + r.corpus.name + " has")
	}
	return errors.Join(err, os.RemoveAll(dest))
}

// copyCommand copies what is in a directory into one that is made.
func copyCommand(from, to string) command {
	return command{args: []string{"cp", "-a", filepath.Clean(from) + "/.", to}}
}

// lsCommand lists all below a directory.
func lsCommand(dir string) command { return sh(`ls -lR "$1/" >/dev/null`, dir) }
