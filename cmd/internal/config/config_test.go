package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEverySettingIsRead(t *testing.T) {
	got, err := Parse("bus3.yaml", "/etc", []byte(`
store: s3://bucket/prefix?endpoint=https://s3.example.com
catalog: postgres:///bus3
key_file: key.txt
passphrase_file: /root/passphrase
passphrase_command: pass show bus3
cache_dir: /var/cache/bus3
cache_size: 128M
disk_cache: 1048576
roots: [/home, srv]
host: a
tags: [daily]
exclude: ["*.o"]
exclude_file: [excludes]
exclude_caches: true
one_file_system: true
ignore_inode: true
ignore_ctime: true
compression: better
limit_upload: 1000
limit_download: 2000
jobs: 3
nice: true
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &File{
		Store: "s3://bucket/prefix?endpoint=https://s3.example.com", Catalog: "postgres:///bus3", KeyFile: "/etc/key.txt",
		PassphraseFile: "/root/passphrase", PassphraseCommand: "pass show bus3",
		CacheDir: "/var/cache/bus3", CacheSize: Size{128 << 20, true}, DiskCache: Size{1 << 20, true},
		Roots: []string{"/home", "/etc/srv"}, Host: "a", Tags: []string{"daily"}, Exclude: []string{"*.o"},
		ExcludeFile: []string{"/etc/excludes"}, ExcludeCaches: true, OneFileSystem: true, IgnoreInode: true, IgnoreCtime: true,
		Compression: "better", LimitUpload: 1000, LimitDownload: 2000, Jobs: 3, Nice: true,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestAConfigurationOfBus3PyKeepsWorking(t *testing.T) {
	got, err := Parse("bus3.yaml", "/etc", []byte(`root_dir: /home/test
s3_config:
  s3_bucket: backups
  s3_endpoint: https://s3.example.com:9000
`))
	if err != nil {
		t.Fatal(err)
	}
	want := &File{Store: "s3://backups?endpoint=https%3A%2F%2Fs3.example.com%3A9000", Roots: []string{"/home/test"}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestMistakesNameTheirLine(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", "store: file:///x\n\nstor: y\n", `f: line 3: "stor" is no setting of bus3`},
		{"unknown key below s3_config", "s3_config:\n  s3_bucket: b\n  s3_region: c\n", `f: line 3: "s3_region" is no setting`},
		{"wrong type", "roots: [/a]\njobs: many\n", "f: line 2: the value must be a whole number"},
		{"wrong list", "roots:\n  a: b\n", "f: line 2: the value must be a list"},
		{"no list", "tags: nightly\n", "f: line 1: the value must be a list"},
		{"no settings", "s3_config: bucket\n", "f: line 1: the value must be settings of their own"},
		{"bad size", "host: a\ncache_size: lots\n", `f: line 2: "lots" is no size`},
		{"bad word", "# comment\ncompression: zip\n", `f: line 2: compression: "zip" is not one of auto`},
		{"bad rate", "limit_upload: -1\n", "f: line 1: limit_upload: -1 is no rate"},
		{"negative jobs", "jobs: -1\n", "f: line 1: jobs: "},
		{"not a URL", "\nstore: /backup\n", "f: line 2: store: is no URL"},
		{"catalog not a URL", "catalog: /backup\n", "f: line 1: catalog: is no URL"},
		{"store twice", "store: file:///x\ns3_config:\n  s3_bucket: y\n", "f: line 2: s3_config: the store is named twice"},
		{"roots twice", "roots: [/a]\nroot_dir: /b\n", "f: line 2: root_dir: "},
		{"no bucket", "s3_config:\n  s3_endpoint: http://x\n", "s3_bucket is missing"},
		{"key twice", "host: a\nhost: b\n", "f: line 2: "},
		{"syntax", "host: [a\n", "f: line "},
		{"two documents", "host: a\n---\nhost: b\n", "only one YAML document"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse("f", "/", []byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %s", err, c.want)
			}
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("more than one line: %q", err)
			}
		})
	}
}

func TestAnEmptyFileIsNoMistake(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n"} {
		if got, err := Parse("f", "/", []byte(text)); err != nil || !cmp.Equal(got, new(File)) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

// TestTheExampleTellsOfEverySetting holds the commented example to the settings that there are: with its comment signs
// taken away it sets all of them.
func TestTheExampleTellsOfEverySetting(t *testing.T) {
	data, err := os.ReadFile("../../../bus3.example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse("bus3.example.yaml", "/", data); err != nil {
		t.Error(err)
	}
	var settings, legacy strings.Builder
	inLegacy := false
	for line := range strings.Lines(string(data)) {
		if strings.Contains(line, "bus3.py") {
			inLegacy = true
		}
		setting, commented := strings.CutPrefix(line, "#")
		if !commented || strings.HasPrefix(setting, " ") && !strings.HasPrefix(setting, "  ") {
			continue // prose is "# text", a setting "#key: value", a part of one "#  key: value"
		}
		if inLegacy {
			legacy.WriteString(setting)
		} else {
			settings.WriteString(setting)
		}
	}
	all, err := Parse("settings", "/", []byte(settings.String()))
	if err != nil {
		t.Fatal(err)
	}
	old, err := Parse("legacy", "/", []byte(legacy.String()))
	if err != nil {
		t.Fatal(err)
	}
	if old.Store == "" || len(old.Roots) != 1 {
		t.Errorf("the example for users of bus3.py gives %+v", old)
	}
	for _, key := range []string{
		"store", "catalog", "key_file", "passphrase_file", "passphrase_command", "cache_dir", "cache_size", "disk_cache", "roots", "host", "tags",
		"exclude", "exclude_file", "exclude_caches", "one_file_system", "ignore_inode", "ignore_ctime", "compression",
		"limit_upload", "limit_download", "jobs", "nice",
	} {
		if lineOf([]byte(settings.String()), key) == "" {
			t.Errorf("the example does not tell of %s", key)
		}
	}
	if all.Jobs == 0 || !all.Nice {
		t.Errorf("the example's values were not read: %+v", all)
	}
}

func TestWhereTheFileIsLookedFor(t *testing.T) {
	work, xdg := t.TempDir(), t.TempDir()
	t.Chdir(work)
	dirs := Dirs{Config: xdg}
	load := func(named string) string {
		t.Helper()
		_, path, err := Load(named, dirs)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	write := func(path string) {
		t.Helper()
		if err := os.WriteFile(path, []byte("host: a\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat("/etc/bus3/bus3.yaml"); err != nil {
		if got := load(""); got != "" {
			t.Errorf("found %s where there is none", got)
		}
	}
	write(filepath.Join(xdg, Name))
	if got := load(""); got != filepath.Join(xdg, Name) {
		t.Errorf("found %s, want the one in XDG_CONFIG_HOME", got)
	}
	write(Name)
	if got := load(""); got != Name {
		t.Errorf("found %s, want the one in the working directory", got)
	}
	named := filepath.Join(t.TempDir(), "other.yaml")
	if _, _, err := Load(named, dirs); err == nil {
		t.Error("a named file that is not there was no error")
	}
	write(named)
	if got := load(named); got != named {
		t.Errorf("found %s, want the named one", got)
	}
	if err := os.Chmod(Name, 0o666); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Load("", dirs); err == nil || !strings.Contains(err.Error(), "somebody else") {
		t.Errorf("a file that anybody can write was read: %v", err)
	}
}

func TestDirectoriesFollowXDG(t *testing.T) {
	env := map[string]string{"HOME": "/home/a", "XDG_DATA_HOME": "/data", "XDG_CACHE_HOME": "relative"}
	got, err := FindDirs(func(k string) string { return env[k] })
	want := Dirs{Config: "/home/a/.config/bus3", Data: "/data/bus3", Cache: "/home/a/.cache/bus3"}
	if err != nil || got != want {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := FindDirs(func(string) string { return "" }); err == nil {
		t.Error("no HOME was no error")
	}
}

func TestSizes(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "1048576": 1 << 20, "10G": 10 << 30, "96MiB": 96 << 20, "96 MiB": 96 << 20, "5KB": 5000, "1.5g": 3 << 29} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v; want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "-1", "9E99", "20000000T"} {
		if n, err := ParseSize(text); err == nil {
			t.Errorf("ParseSize(%q) = %d", text, n)
		}
	}
}
