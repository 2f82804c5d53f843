package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"
)

// hostsAtOnce is how many hosts back up at the same time.
const hostsAtOnce = 8

// hostKinds are the trees of the rows "hosts …". Each has a part for each host, no two with a byte in common.
var hostKinds = []struct {
	name string
	make func(b *bench, dir string, host int) error
}{
	{"large files", func(b *bench, dir string, host int) error {
		return oneFile(filepath.Join(dir, "large"), uint64(2000+host), int64(b.set.HostsMiB)<<20/hostsAtOnce)
	}},
	{"small files", func(b *bench, dir string, host int) error {
		return someFiles(noise(uint64(3000+host)), dir, b.set.HostsFiles/hostsAtOnce, 25, 4096)
	}},
}

// hostsName is the row of a way to back a kind of tree up.
func hostsName(way, kind string) string { return fmt.Sprintf("hosts %s, %s", way, kind) }

// The ways.
const (
	wayOne    = "one process with all"
	wayMany   = "8 at once with an eighth each"
	waySame   = "8 at once with the same eighth"
	wayInTurn = "8 in turn with the same eighth"
)

func hostRows() (rows []row) {
	for _, kind := range hostKinds {
		one, many := hostsName(wayOne, kind.name), hostsName(wayMany, kind.name)
		rows = append(rows, row{one, "s", "", nil}, row{one + ": cpu", "cpu s", "", nil}, row{one + ": cpu of all", "cpu s", "", nil}, row{one + ": stored", "MiB", "", nil},
			row{many, "s", "", []bound{timesRow(1/0.9, one)}}, row{many + ": cpu", "cpu s", "", nil}, row{many + ": cpu of all", "cpu s", "", nil}, row{many + ": stored", "MiB", "", nil},
			row{many + ": waits for locks, all together", "s", "", []bound{timesRow(0.01*hostsAtOnce, many)}},
			row{hostsName(waySame, kind.name) + ": stored", "MiB", "", nil}, row{hostsName(wayInTurn, kind.name) + ": stored", "MiB", "", nil})
	}
	return append(rows, row{"hosts deadlocks", "", "", []bound{atMost(0)}})
}

// hosts measures many hosts that back up into one PostgreSQL and one bucket at once, beside one that does it all.
func (b *bench) hosts(ctx context.Context) error {
	if b.pg == nil { // there are no such hosts
		return nil
	}
	for _, kind := range hostKinds {
		if !b.wants(hostsName(wayOne, kind.name), hostsName(wayMany, kind.name)) {
			continue
		}
		dir := filepath.Join(b.dir, "corpus", "hosts")
		var err error
		for host := range hostsAtOnce {
			part := hostDir(dir, host)
			err = errors.Join(err, os.MkdirAll(part, 0o755), kind.make(b, part, host))
		}
		for i := range b.set.Repeat {
			if err == nil {
				err = b.hostRound(ctx, dir, kind.name, i == 0)
			}
		}
		if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
			return err
		}
	}
	return nil
}

func hostDir(dir string, host int) string { return filepath.Join(dir, fmt.Sprintf("host%d", host)) }

// hostRound goes once through the ways; through those that are about bytes only in the first round.
func (b *bench) hostRound(ctx context.Context, dir, kind string, first bool) error {
	own := func(host int) string { return hostDir(dir, host) }
	same := func(int) string { return hostDir(dir, 0) }
	ways := []struct {
		name   string
		hosts  int
		atOnce int
		tree   func(host int) string
	}{
		{wayOne, 1, 1, func(int) string { return dir }},
		{wayMany, hostsAtOnce, hostsAtOnce, own},
		{waySame, hostsAtOnce, hostsAtOnce, same},
		{wayInTurn, hostsAtOnce, 1, same},
	}
	if !first {
		ways = ways[:2]
	}
	for _, w := range ways {
		var all []string
		for host := range w.hosts {
			all = append(all, w.tree(host))
		}
		row := hostsName(w.name, kind)
		if !b.wants(row) {
			continue
		}
		if err := b.hostWay(ctx, row, all, w.atOnce); err != nil {
			return err
		}
	}
	return nil
}

// hostWay backs trees up, each from a host of its own, some of them at once, into an empty repository.
func (b *bench) hostWay(ctx context.Context, row string, trees []string, atOnce int) (err error) {
	t, err := b.newBus3(ctx, "postgres")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.dropDatabase(context.Background(), t), t.remove()) }()
	look, err := b.watchLocks(ctx, t)
	if err != nil {
		return err
	}
	needed := make([]spent, len(trees))
	start, before := time.Now(), busySeconds()
	work, ctx := errgroup.WithContext(ctx)
	work.SetLimit(atOnce)
	for i, tree := range trees {
		work.Go(func() (err error) {
			c := t.command("backup", "--json", "--host", fmt.Sprintf("host%d", i), tree)
			c.unwatched = true // to watch all would take a part of a core
			needed[i], err = c.run(ctx)
			return err
		})
	}
	err = work.Wait()
	seconds, busy := time.Since(start).Seconds(), busySeconds()-before
	waited, deadlocks, lookErr := look()
	if err := errors.Join(err, lookErr); err != nil {
		return err
	}
	cpu, stored := 0.0, 0.0
	for _, s := range needed {
		told, err := summary(s.stdout)
		if err != nil {
			return err
		}
		cpu, stored = cpu+s.cpu, stored+float64(told.Packed)/mebibyte
	}
	b.add(row, t.name(), seconds)
	b.add(row+": cpu", t.name(), cpu)
	b.add(row+": cpu of all", t.name(), busy)
	b.add(row+": stored", t.name(), stored)
	b.add(row+": waits for locks, all together", t.name(), waited)
	if strings.HasPrefix(row, "hosts "+wayMany) {
		b.add("hosts deadlocks", t.name(), deadlocks)
	}
	return nil
}

// watchLocks looks again and again at who waits for locks in the database. What it returns ends that, and tells for how long, all
// sessions together, and how many deadlocks there were.
func (b *bench) watchLocks(ctx context.Context, t *bus3) (func() (waited, deadlocks float64, err error), error) {
	const every = 20 * time.Millisecond
	conn, err := pgx.Connect(ctx, t.url)
	if err != nil {
		return nil, err
	}
	var waited, deadlocks float64
	stop, done := make(chan struct{}), make(chan error, 1)
	go func() {
		last, running := time.Now(), true
		for running {
			select {
			case <-stop:
				running = false
			case <-time.After(every):
			}
			var waiting float64
			if err := conn.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&waiting); err != nil {
				done <- err
				return
			}
			waited += waiting * time.Since(last).Seconds()
			last = time.Now()
		}
		done <- conn.QueryRow(ctx, `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&deadlocks)
	}()
	return func() (float64, float64, error) {
		close(stop)
		err := errors.Join(<-done, conn.Close(context.Background()))
		return waited, deadlocks, err
	}, nil
}

// busySeconds is how long the cores of the machine, all together, have worked since it was started; 0 if it does not tell.
func busySeconds() (busy float64) {
	const perSecond = 100 // USER_HZ, see proc(5)
	stat, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	var user, nice, system, idle, iowait, irq, softirq float64
	if _, err := fmt.Sscan(after(string(stat), "cpu "), &user, &nice, &system, &idle, &iowait, &irq, &softirq); err != nil {
		return 0
	}
	return (user + nice + system + irq + softirq) / perSecond
}
