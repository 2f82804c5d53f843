package main

import "fmt"

// isBus3 tells bus3's subjects: those that are judged.
func isBus3(subject string) bool { return subject == "bus3 sqlite" || subject == "bus3 postgres" }

// limit is the subject that stands for what the machine itself needs.
const limit = "limit"

const mountCache = 96 // MiB: what bus3 mount may cache when it is told nothing

// allRows is the table, in its order. What must be reached is set for the default sizes; ratios hold for any.
func allRows(s *settings) []row {
	rows := backupRows(s)
	rows = append(rows, readRows()...)
	rows = append(rows, requestRows()...)
	rows = append(rows, latencyRows()...)
	rows = append(rows, growthRows(s)...)
	rows = append(rows, scanRows(s)...)
	rows = append(rows, hostRows()...)
	return append(rows, largeRows()...)
}

func backupRows(s *settings) []row {
	const tar = "tar into cat"
	return []row{
		{"backup small50k", "s", tar, []bound{times(0.5, "restic"), atMost(float64(s.Files) / 20_000)}},
		{"backup small50k: cpu", "cpu s", tar, nil},
		{"backup big", "s", "PUTs of 32 MiB", []bound{times(0.4, "kopia"), atMost(float64(s.Big) * float64(s.BigMiB) * (1 << 20) / 300e6)}},
		{"backup big: cpu", "cpu s", "", nil},
		{"backup usr", "s", tar, []bound{times(0.5, "restic")}},
		{"backup usr: cpu", "cpu s", tar, []bound{times(0.45, "restic")}},
		{"backup usr: stored", "MiB", "", []bound{times(1.02, "restic")}},
		{"backup usr: objects", "", "", nil},
		{"backup usr, unchanged", "s", "find -printf", []bound{times(0.7, "kopia")}},
		{"backup usr, unchanged: cpu", "cpu s", "find -printf", nil},
		{"backup usr, unchanged: entry rows", "", "", []bound{atMost(0)}},
		{"backup usr, unchanged: objects", "", "", []bound{atMost(2)}}, // the claim of the scan and its end
		{"memory backup small50k", "MiB", "", []bound{atMost(200)}},
		{"memory backup big", "MiB", "", []bound{atMost(200)}},
		{"memory backup usr", "MiB", "", []bound{atMost(200)}},
	}
}

func readRows() []row {
	return []row{
		{"restore small50k", "s", "cp -a", []bound{times(1.5, limit)}},
		{"restore small50k: cpu", "cpu s", "cp -a", nil},
		{"restore usr", "s", "cp -a", []bound{times(0.6, "restic")}},
		{"restore usr: cpu", "cpu s", "cp -a", nil},
		{"restore big", "s", "cp", []bound{times(0.5, "restic")}},
		{"restore big: cpu", "cpu s", "cp", nil},
		{"mount ready", "s", "do-nothing server", []bound{atMost(0.3)}},
		{"mount ls -lR small50k", "s", "do-nothing server", []bound{times(1.3, limit)}},
		{"mount cp -a small50k", "s", "do-nothing server", []bound{times(1.4, limit), times(0.4, "kopia")}},
		{"mount ls -lR usr", "s", "do-nothing server", []bound{times(0.4, "kopia")}},
		{"mount cp -a usr", "s", "do-nothing server", []bound{times(0.3, "kopia")}},
		{"mount cp big", "s", "cp, and GETs of 32 MiB", []bound{times(0.4, "kopia")}},
		{"memory mount small50k", "MiB", "do-nothing server", []bound{atMost(200 + mountCache)}},
		{"memory mount usr", "MiB", "do-nothing server", []bound{atMost(200 + mountCache)}},
		{"memory mount big", "MiB", "", []bound{atMost(200 + mountCache)}},
	}
}

func requestRows() []row {
	return []row{
		{"requests backup small50k: MiB per PUT", "MiB", "", nil}, // too little for packs of 32 MiB to count
		{"requests backup big: MiB per PUT", "MiB", "", []bound{atLeast(24)}},
		{"requests backup usr: MiB per PUT", "MiB", "", []bound{atLeast(24)}},
		{"requests backup usr, unchanged", "", "", []bound{atMost(3)}},
		{"requests ls -lR small50k: GETs", "", "", []bound{atMost(0)}},
		{"requests ls -lR usr: GETs", "", "", []bound{atMost(0)}},
		{"requests cp -a small50k: GETs", "", "", []bound{atMost(60)}},
		{"requests cp -a usr: GETs", "", "", nil},
		{"requests 1 MiB of big: GETs", "", "", []bound{atMost(2)}},
		{"requests 1 MiB of big: MiB", "MiB", "", []bound{atMost(8)}},
	}
}

// latencyOf are the steps that are also measured at a distance, and how many times slower they may be there.
var latencyOf = []struct {
	step   string
	factor float64
}{
	{"backup big", 1.25}, {"backup usr", 1.25}, {"cp -a small50k", 2}, {"cp big", 1.5},
}

func latencyRows() (rows []row) {
	for _, l := range latencyOf {
		near := "latency 0 ms " + l.step
		rows = append(rows, row{near, "s", "", nil}, row{"latency 50 ms " + l.step, "s", "", []bound{timesRow(l.factor, near)}})
	}
	return rows
}

// growthName is the row of a step of a number of files.
func growthName(step string, files int) string {
	return fmt.Sprintf("growth %s, %d files", step, files)
}

func growthRows(s *settings) (rows []row) {
	const slack = 1.2 // what noise may add to linear growth
	for i, n := range s.Growth {
		first := row{growthName("first", n), "s", "", nil}
		unchanged := row{growthName("unchanged", n), "s", "", nil}
		ready, find := row{growthName("mount ready", n), "s", "", []bound{atMost(0.3)}}, row{growthName("find in the mount", n), "s", "", nil}
		if i > 0 {
			factor := slack * float64(n) / float64(s.Growth[i-1])
			first.Bounds = []bound{timesRow(factor, growthName("first", s.Growth[i-1]))}
			unchanged.Bounds = []bound{timesRow(factor, growthName("unchanged", s.Growth[i-1]))}
		}
		rows = append(rows, first, unchanged,
			row{growthName("stored", n), "MiB", "", nil}, row{growthName("entry rows", n), "", "", nil},
			row{growthName("catalog bytes per file", n), "bytes", "", nil},
			row{growthName("memory of backup", n), "MiB", "", []bound{atMost(256)}}, ready, find,
			row{growthName("memory of mount after find", n), "MiB", "", []bound{atMost(200 + mountCache)}})
	}
	return rows
}

// scanName is the row of a step after a number of scans.
func scanName(step string, scans int) string { return fmt.Sprintf("scans %s, %d scans", step, scans) }

func scanRows(s *settings) (rows []row) {
	const slack = 1.3 // flat, but for noise
	for _, n := range s.Scans {
		for _, step := range []string{"backup with 1 % changed", "ls -lR of the newest", "ls -lR of the oldest"} {
			w := row{scanName(step, n), "s", "", nil}
			if n != s.Scans[0] {
				w.Bounds = []bound{timesRow(slack, scanName(step, s.Scans[0]))}
			}
			rows = append(rows, w)
		}
		rows = append(rows, row{scanName("ls of the root", n), "s", "", []bound{atMost(0.1)}}, row{scanName("ls -l of the root", n), "s", "", nil},
			row{scanName("catalog", n), "MiB", "", nil})
	}
	return rows
}

func largeRows() []row {
	return []row{
		{"large backup", "s", "", nil},
		{"large backup: stored", "MiB", "", nil},
		{"large backup: memory", "MiB", "", []bound{atMost(256)}},
		{"large backup, 1 MiB changed", "s", "", nil},
		{"large backup, 1 MiB changed: stored", "MiB", "", []bound{atMost(4)}},
		{"large backup, 1 MiB changed: memory", "MiB", "", []bound{atMost(256)}},
	}
}
