package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"
)

// report prints the table of all values, and writes it to a file.
func (b *bench) report(measureErr error) error {
	if len(b.results) == 0 {
		return errors.Join(measureErr, errors.New("no row was measured: ROWS matches the beginnings of names such as “mount cp -a small50k”"))
	}
	var text bytes.Buffer
	for _, run := range append(b.runs[:len(b.runs):len(b.runs)], b.thisRun()) {
		fmt.Fprintf(&text, "* %s\n", run)
	}
	fmt.Fprintln(&text)
	table(&text, b.rows, b.results)
	words(&text, b.rows, b.results)
	if measureErr != nil {
		fmt.Fprintf(&text, "\nThe run ended early: %s\n", measureErr)
	}
	if _, err := os.Stdout.Write(text.Bytes()); err != nil {
		return err
	}
	if err := os.MkdirAll(b.set.Out, 0o755); err != nil {
		return err
	}
	err := errors.Join(b.keepErr, os.WriteFile(filepath.Join(b.set.Out, "bench.md"), text.Bytes(), 0o644))
	if drawing := growthPlot(b.set, b.results); drawing != nil {
		err = errors.Join(err, os.WriteFile(filepath.Join(b.set.Out, "growth.svg"), drawing, 0o644))
	}
	return err
}

// subjects are those that were measured, in the order of columns.
func (r results) subjects() (all []string) {
	for _, s := range []string{"bus3 sqlite", "bus3 postgres", "restic", "kopia", "juicefs", limit} {
		for _, values := range r {
			if len(values[s]) > 0 && !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}

// table is Markdown: medians, with minimum and maximum where there are several values.
func table(out *bytes.Buffer, rows []row, r results) {
	subjects := r.subjects()
	fmt.Fprintf(out, "| row | %s | bus3 must reach |\n|---|%s---|\n", strings.Join(subjects, " | "), strings.Repeat("---|", len(subjects)))
	for i := range rows {
		w := &rows[i]
		if len(r[w.Name]) == 0 {
			continue
		}
		fmt.Fprintf(out, "| %s%s |", w.Name, inBrackets(w.Unit))
		for _, s := range subjects {
			fmt.Fprintf(out, " %s", r.cell(w.Name, s))
			if s == limit && len(r[w.Name][s]) > 0 {
				fmt.Fprintf(out, "%s", inBrackets(w.Limit))
			}
			fmt.Fprint(out, " |")
		}
		fmt.Fprintf(out, " %s |\n", r.standing(w))
	}
}

func inBrackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// cell is what one subject did in a row.
func (r results) cell(row, subject string) string {
	median, ok := r.median(row, subject)
	if !ok {
		return "–"
	}
	values := r[row][subject]
	low, high := short(slices.Min(values)), short(slices.Max(values))
	if low == high {
		return short(median)
	}
	return fmt.Sprintf("%s (%s–%s)", short(median), low, high)
}

// standing is the bounds of a row, each with what became of it: ✓, ✗ or ?.
func (r results) standing(w *row) string {
	var parts []string
	for _, bound := range w.Bounds {
		text := bound.String()
		for _, s := range r.subjects() {
			if isBus3(s) && len(r[w.Name][s]) > 0 {
				text += " " + [...]string{met: "✓", missed: "✗", unknown: "?"}[r.judge(w, bound, s).Outcome]
			}
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}

// words says what was missed, and what could not be judged.
func words(out *bytes.Buffer, rows []row, r results) {
	said := map[outcome][]string{}
	for i := range rows {
		for _, bound := range rows[i].Bounds {
			for _, s := range r.subjects() {
				if isBus3(s) && len(r[rows[i].Name][s]) > 0 {
					v := r.judge(&rows[i], bound, s)
					said[v.Outcome] = append(said[v.Outcome], v.Words)
				}
			}
		}
	}
	fmt.Fprintf(out, "\n%d targets met, %d missed, %d not judged.\n", len(said[met]), len(said[missed]), len(said[unknown]))
	for _, o := range []outcome{missed, unknown} {
		for _, text := range said[o] {
			fmt.Fprintf(out, "* %s: %s\n", [...]string{met: "", missed: "missed", unknown: "not judged"}[o], text)
		}
	}
}

// machine says where and when this was measured.
func machine() string {
	text := fmt.Sprintf("%s, %d cores, %s/%s", time.Now().UTC().Format("2006-01-02 15:04 MST"), runtime.NumCPU(), runtime.GOOS, runtime.GOARCH)
	for _, fact := range []struct{ file, key, name string }{
		{"/proc/cpuinfo", "model name", "CPU"}, {"/proc/meminfo", "MemTotal", "memory"},
	} {
		if v := lookUp(fact.file, fact.key); v != "" {
			text += ", " + fact.name + " " + v
		}
	}
	if release, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		text += ", Linux " + strings.TrimSpace(string(release))
	}
	return text
}

// busy says how much else the machine had to do.
func (b *bench) busy() string {
	return "load when it began " + b.loadBefore + ", when it ended " + load()
}

// load is the load average of the last minute, of five, and of fifteen.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}

// lookUp finds the first "key: value" in a file of /proc. Sizes in kB become GiB.
func lookUp(file, key string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(content)) {
		name, value, ok := strings.Cut(line, ":")
		if !ok || strings.TrimSpace(name) != key {
			continue
		}
		value = strings.TrimSpace(value)
		if kib, err := strconv.Atoi(strings.TrimSuffix(value, " kB")); err == nil {
			return fmt.Sprintf("%.0f GiB", float64(kib)/mebibyte)
		}
		return value
	}
	return ""
}
