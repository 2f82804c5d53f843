package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// kept is what OUT/bench.json has: the values of this run, and of the runs before it whose rows this one does not measure.
// So a table can be measured in several goes, and a run that is ended early loses nothing.
type kept struct {
	Runs   []string // where and when, the newest last
	Sizes  string   // of what was measured; values of other sizes are not mixed with these
	Rows   []row
	Values results
}

func (b *bench) keptIn() string { return filepath.Join(b.set.Out, "bench.json") }

// remember reads what earlier runs have measured. Values of other sizes are put aside.
func (b *bench) remember() error {
	text, err := os.ReadFile(b.keptIn())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var before kept
	if err := json.Unmarshal(text, &before); err == nil && before.Sizes == b.set.sizes() && before.Values != nil {
		b.results, b.runs = before.Values, before.Runs
		return nil
	}
	aside := filepath.Join(b.set.Out, "bench-until-"+time.Now().UTC().Format("20060102-150405")+".json")
	b.say("%s has values of other sizes: it is now %s", b.keptIn(), aside)
	return os.Rename(b.keptIn(), aside)
}

// keep writes all values, so that they are there whatever happens to the run.
func (b *bench) keep() error {
	if err := os.MkdirAll(b.set.Out, 0o755); err != nil {
		return err
	}
	text, err := json.MarshalIndent(kept{Runs: append(b.runs[:len(b.runs):len(b.runs)], b.thisRun()), Sizes: b.set.sizes(), Rows: b.rows, Values: b.results}, "", "  ")
	if err != nil {
		return err
	}
	next := b.keptIn() + ".new"
	if err := os.WriteFile(next, append(text, '\n'), 0o644); err != nil {
		return err
	}
	return os.Rename(next, b.keptIn())
}

// thisRun says what was measured where and when.
func (b *bench) thisRun() string { return fmt.Sprintf("%s: %s; %s", b.set.Rows, machine(), b.busy()) }
