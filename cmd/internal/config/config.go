// Package config finds out what a run of bus3 is to work with: the file bus3.yaml, the directories of the XDG base
// directory specification, and the defaults that hold where nobody said anything.
package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
)

// File is what bus3.yaml can say. All of it is optional. The command line beats the environment, which beats the file.
type File struct {
	Store   string `yaml:"store"`    // URL, as --store
	Catalog string `yaml:"catalog"`  // URL, as --catalog
	KeyFile string `yaml:"key_file"` // as --key-file

	PassphraseFile    string `yaml:"passphrase_file"`    // as BUS3_PASSPHRASE_FILE
	PassphraseCommand string `yaml:"passphrase_command"` // as BUS3_PASSPHRASE_COMMAND

	CacheDir  string `yaml:"cache_dir"`  // as --cache-dir
	CacheSize Size   `yaml:"cache_size"` // as --cache-size
	DiskCache Size   `yaml:"disk_cache"` // as --disk-cache

	Roots         []string `yaml:"roots"` // what `bus3 backup` backs up when no directory is named
	Host          string   `yaml:"host"`
	Tags          []string `yaml:"tags"`
	Exclude       []string `yaml:"exclude"`      // patterns, as --exclude
	ExcludeFile   []string `yaml:"exclude_file"` // files of patterns, as --exclude-file
	ExcludeCaches bool     `yaml:"exclude_caches"`
	OneFileSystem bool     `yaml:"one_file_system"`
	IgnoreInode   bool     `yaml:"ignore_inode"`
	IgnoreCtime   bool     `yaml:"ignore_ctime"`
	Compression   string   `yaml:"compression"`
	LimitUpload   int64    `yaml:"limit_upload"`   // KiB/s
	LimitDownload int64    `yaml:"limit_download"` // KiB/s
	Jobs          int      `yaml:"jobs"`
	Nice          bool     `yaml:"nice"`

	// RootDir and S3Config are how bus3.py was configured.
	RootDir  string   `yaml:"root_dir"`
	S3Config S3Config `yaml:"s3_config"`
}

// S3Config is the part of a bus3.py configuration that names the store.
type S3Config struct {
	Bucket   string `yaml:"s3_bucket"`
	Endpoint string `yaml:"s3_endpoint"`
}

// compressions are the words that the setting `compression` and the flag --compression understand.
var compressions = []string{"auto", "off", "fastest", "default", "better"}

// maxFile is more than any sensible configuration has; it keeps a mistaken path from being read into memory.
const maxFile = 1 << 20

// Parse reads a configuration; name is what messages call it. An unknown key or a bad value is an error that names the
// line. Relative paths in it are relative to dir.
func Parse(name, dir string, data []byte) (*File, error) {
	f := new(File)
	d := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := d.Decode(f); err != nil && !errors.Is(err, io.EOF) {
		return nil, describe(name, err)
	}
	if err := d.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: only one YAML document is allowed in it", name)
	}
	if key, err := f.check(); err != nil {
		return nil, fmt.Errorf("%s: %s%s: %w", name, lineOf(data, key), key, err)
	}
	f.adopt(dir)
	return f, nil
}

// Read parses the file at path.
func Read(path string) (*File, error) {
	h, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	defer func() { _ = h.Close() }()
	data, err := io.ReadAll(io.LimitReader(h, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	if len(data) > maxFile {
		return nil, fmt.Errorf("read the configuration: %s is larger than %d bytes; that is no bus3.yaml", path, maxFile)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	return Parse(path, filepath.Dir(abs), data)
}

// check returns the key whose value cannot be right, if any.
func (f *File) check() (string, error) {
	switch {
	case CheckCompression(f.Compression) != nil:
		return "compression", CheckCompression(f.Compression)
	case f.LimitUpload < 0 || f.LimitUpload > maxRate:
		return "limit_upload", fmt.Errorf("%d is no rate in KiB/s", f.LimitUpload)
	case f.LimitDownload < 0 || f.LimitDownload > maxRate:
		return "limit_download", fmt.Errorf("%d is no rate in KiB/s", f.LimitDownload)
	case CheckJobs(f.Jobs) != nil:
		return "jobs", CheckJobs(f.Jobs)
	case f.Store != "" && f.S3Config != (S3Config{}):
		return "s3_config", errors.New("the store is named twice; remove either store or s3_config")
	case f.RootDir != "" && len(f.Roots) > 0:
		return "root_dir", errors.New("what to back up is named twice; remove either roots or root_dir")
	case f.S3Config.Endpoint != "" && f.S3Config.Bucket == "":
		return "s3_config", errors.New("s3_bucket is missing")
	case f.Store != "" && !strings.Contains(f.Store, "://"):
		return "store", errors.New("is no URL; write s3://bucket?endpoint=… or file:///path")
	case f.Catalog != "" && !strings.Contains(f.Catalog, "://"):
		return "catalog", errors.New("is no URL; write postgres://… or sqlite:///path")
	}
	return "", nil
}

// CheckCompression tells whether that is a way to compress. None is one: it is chosen later.
func CheckCompression(name string) error {
	if name != "" && !slices.Contains(compressions, name) {
		return fmt.Errorf("%q is not one of %s", name, strings.Join(compressions, ", "))
	}
	return nil
}

// CheckJobs tells whether that many files can be read at once. 0 is chosen later.
func CheckJobs(n int) error {
	const most = 256 // each needs memory of its own
	if n < 0 || n > most {
		return fmt.Errorf("%d is no number from 0 to %d", n, most)
	}
	return nil
}

// maxRate keeps KiB/s, times 1024, within an int64.
const maxRate = 1 << 50

// adopt turns bus3.py's settings into today's and makes relative paths absolute.
func (f *File) adopt(dir string) {
	if f.S3Config.Bucket != "" {
		u := url.URL{Scheme: "s3", Host: f.S3Config.Bucket}
		if f.S3Config.Endpoint != "" {
			u.RawQuery = url.Values{"endpoint": {f.S3Config.Endpoint}}.Encode()
		}
		f.Store, f.S3Config = u.String(), S3Config{}
	}
	if f.RootDir != "" {
		f.Roots, f.RootDir = []string{f.RootDir}, ""
	}
	for _, p := range []*string{&f.KeyFile, &f.PassphraseFile, &f.CacheDir} {
		*p = under(dir, *p)
	}
	for _, list := range [][]string{f.Roots, f.ExcludeFile} {
		for i := range list {
			list[i] = under(dir, list[i])
		}
	}
}

func under(dir, path string) string {
	switch home, err := os.UserHomeDir(); {
	case path == "" || filepath.IsAbs(path):
		return path
	case strings.HasPrefix(path, "~/") && err == nil:
		return filepath.Join(home, path[2:])
	}
	return filepath.Join(dir, path)
}
