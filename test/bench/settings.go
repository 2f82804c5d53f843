package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// settings are what the environment says. In parentheses: the variable, and the default.
type settings struct {
	Files    int            // of small50k (FILES, 50000)
	Big      int            // files of big (BIG, 2)
	BigMiB   int            // size of each (BIG_MIB, 1024)
	Usr      []string       // what usr is a copy of (USR, /usr/lib,/usr/share)
	Repeat   int            // how often each row is measured (REPEAT, 3)
	Rows     *regexp.Regexp // which rows: the beginning of their names (ROWS, all but the long ones)
	Skip     *regexp.Regexp // what is left out of them: the beginning of "PROGRAM ROW", for steps that read (SKIP, see leftOut)
	Out      string         // directory of the results (OUT, bench-out)
	Dir      string         // a directory on a tmpfs (DIR, /dev/shm; else one is mounted, if possible)
	Catalogs []string       // of bus3 (CATALOGS, sqlite,postgres)
	Programs map[string]string
	Growth   []int // numbers of files (GROWTH, 10000,100000,1000000)
	Scans    []int // numbers of scans, ascending (SCANS, 1,100,1000)
	ScanTree int   // files of the tree that is scanned that often (SCAN_FILES, 10000)
	LargeGiB int   // apparent size of the large file (LARGE_GIB, 100)
	DataMiB  int   // data in it; a third of it is unique (LARGE_DATA_MIB, 6144)

	HostsMiB, HostsFiles int // of all hosts together: large files (HOSTS_MIB, 2048), and small files (HOSTS_FILES, 80000)
}

// reader reads settings, until something is wrong for the first time.
type reader struct {
	getenv func(string) string
	err    error
}

func (r *reader) text(name, otherwise string) string {
	if v := r.getenv(name); v != "" {
		return v
	}
	return otherwise
}

func (r *reader) number(name string, otherwise int) int {
	n, err := strconv.Atoi(r.text(name, strconv.Itoa(otherwise)))
	if (err != nil || n < 1) && r.err == nil {
		r.err = fmt.Errorf("%s=%s is not a number above 0", name, r.getenv(name))
	}
	return n
}

func (r *reader) numbers(name, otherwise string) (all []int) {
	for _, text := range strings.Split(r.text(name, otherwise), ",") {
		n, err := strconv.Atoi(text)
		if ascending := len(all) == 0 || n > all[len(all)-1]; (err != nil || n < 1 || !ascending) && r.err == nil {
			r.err = fmt.Errorf("%s=%s is not a list of ascending numbers above 0", name, r.getenv(name))
		}
		all = append(all, n)
	}
	return all
}

func readSettings(getenv func(string) string) (*settings, error) {
	r := &reader{getenv: getenv}
	s := &settings{
		Files: r.number("FILES", 50_000), Big: r.number("BIG", 2), BigMiB: r.number("BIG_MIB", 1024),
		Usr: strings.Split(r.text("USR", "/usr/lib,/usr/share"), ","), Repeat: r.number("REPEAT", 3),
		Out: r.text("OUT", "bench-out"), Dir: r.text("DIR", ""), Catalogs: strings.Split(r.text("CATALOGS", "sqlite,postgres"), ","),
		Growth: r.numbers("GROWTH", "10000,100000,1000000"), Scans: r.numbers("SCANS", "1,100,1000"),
		ScanTree: r.number("SCAN_FILES", 10_000), LargeGiB: r.number("LARGE_GIB", 100), DataMiB: r.number("LARGE_DATA_MIB", 6144),
		HostsMiB: r.number("HOSTS_MIB", 2048), HostsFiles: r.number("HOSTS_FILES", 80_000),
	}
	for _, c := range s.Catalogs {
		if c != "sqlite" && c != "postgres" && r.err == nil {
			r.err = fmt.Errorf("CATALOGS: %q is neither sqlite nor postgres", c)
		}
	}
	rows, err := regexp.Compile("^(?:" + r.text("ROWS", "backup|memory|restore|mount|requests|latency") + ")")
	if err != nil {
		return nil, fmt.Errorf("ROWS: %w", err)
	}
	s.Rows = rows
	if s.Skip, err = regexp.Compile("^(?:" + r.text("SKIP", leftOut) + ")"); err != nil {
		return nil, fmt.Errorf("SKIP: %w", err)
	}
	s.Programs = programs(r)
	return s, r.err
}

// leftOut is what nobody waits for unasked: restic's mount is not compared with anything, and a copy out of it takes minutes.
const leftOut = "restic ((memory )?mount|requests (ls|cp|1 MiB))"

// sizes are of all that is measured: values can be compared only if they are the same.
func (s *settings) sizes() string {
	return fmt.Sprint(s.Files, s.Big, s.BigMiB, s.Usr, s.Growth, s.Scans, s.ScanTree, s.LargeGiB, s.DataMiB, s.HostsMiB, s.HostsFiles)
}

// programs finds the peers: those that the environment names, else those on PATH. "-" leaves one out.
func programs(r *reader) map[string]string {
	found := map[string]string{}
	for _, name := range []string{"restic", "kopia", "juicefs"} {
		variable := strings.ToUpper(name)
		given := r.text(variable, name)
		if given == "-" {
			continue
		}
		path, err := exec.LookPath(given)
		if err == nil {
			path, err = filepath.Abs(path)
		}
		if err != nil && r.getenv(variable) != "" && r.err == nil {
			r.err = fmt.Errorf("%s: %w", variable, err)
		}
		if err == nil {
			found[name] = path
		}
	}
	return found
}
