package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/bus3/bus3/test/slow"
)

// distance measures what 50 ms more on every answer of the S3 server cost bus3. Both ways go through the same proxy.
func (b *bench) distance(ctx context.Context, c *corpus) error {
	wanted := false
	for _, l := range latencyOf {
		wanted = wanted || strings.HasSuffix(l.step, " "+c.name) && b.wants("latency 0 ms "+l.step, "latency 50 ms "+l.step)
	}
	if !wanted {
		return nil
	}
	for _, latency := range []time.Duration{0, 50 * time.Millisecond} {
		if err := b.atDistance(ctx, c, latency); err != nil {
			return err
		}
	}
	return nil
}

func (b *bench) atDistance(ctx context.Context, c *corpus, latency time.Duration) (err error) {
	line, err := slow.Start(b.s3.Address(), 0)
	if err != nil {
		return err
	}
	defer line.Cut()
	p, err := b.newPlace(ctx, line.Endpoint())
	if err != nil {
		return err
	}
	t := &bus3{place: p, b: b, catalog: b.set.Catalogs[0]}
	defer func() { err = errors.Join(err, b.dropDatabase(context.Background(), t), p.remove()) }()
	if err := t.create(ctx); err != nil {
		return err
	}
	if err := line.SetLatency(latency); err != nil {
		return err
	}
	prefix := fmt.Sprintf("latency %d ms ", latency.Milliseconds())
	s, err := t.backup(c.dir).run(ctx)
	if err != nil {
		return err
	}
	b.add(prefix+"backup "+c.name, t.name(), s.seconds)
	step := strings.TrimPrefix(copyRow(c.name), "mount ")
	if c.name == "usr" || !b.wants(prefix+step) {
		return nil
	}
	r := &round{bench: b, corpus: c, peaks: map[tool]float64{}}
	dest := p.at("copy")
	err = r.inMount(ctx, t, p.at("mnt"), func(_ *served, dir string) error {
		s, err := copyCommand(dir, dest).run(ctx)
		b.add(prefix+step, t.name(), s.seconds)
		return err
	})
	return errors.Join(err, os.RemoveAll(dest))
}
