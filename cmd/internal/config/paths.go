package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Dirs are the directories of the XDG base directory specification (freedesktop.org, version 0.8) that bus3 uses, each
// with /bus3 added.
type Dirs struct {
	Config, Data, Cache string
}

// FindDirs reads them from the environment that getenv shows.
func FindDirs(getenv func(string) string) (Dirs, error) {
	home := getenv("HOME")
	find := func(variable, fallback string) (string, error) {
		if d := getenv(variable); filepath.IsAbs(d) { // the specification has relative paths ignored
			return filepath.Join(d, "bus3"), nil
		}
		if !filepath.IsAbs(home) {
			return "", fmt.Errorf("neither HOME nor %s is set to an absolute path; set one of them", variable)
		}
		return filepath.Join(home, fallback, "bus3"), nil
	}
	var d Dirs
	var err error
	if d.Config, err = find("XDG_CONFIG_HOME", ".config"); err != nil {
		return d, err
	}
	if d.Data, err = find("XDG_DATA_HOME", ".local/share"); err != nil {
		return d, err
	}
	d.Cache, err = find("XDG_CACHE_HOME", ".cache")
	return d, err
}

// Name is the file's name wherever it is looked for.
const Name = "bus3.yaml"

// Load reads the configuration: the file named (it must be there), else bus3.yaml in the working directory, as bus3.py
// did, else the one in dirs.Config, else /etc/bus3/bus3.yaml. The path is "" if there is none; File is never nil
// without an error.
//
// A file in the working directory counts only if it belongs to the user or root and nobody else may write to it:
// it can name a command to run, and one can stand in other people's directories.
func Load(named string, dirs Dirs) (*File, string, error) {
	if named != "" {
		f, err := Read(named)
		return f, named, err
	}
	switch err := trusted(Name); {
	case err == nil:
		f, err := Read(Name)
		return f, Name, err
	case !errors.Is(err, fs.ErrNotExist):
		return nil, "", err
	}
	for _, path := range []string{filepath.Join(dirs.Config, Name), filepath.Join("/etc/bus3", Name)} {
		f, err := Read(path)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
			continue
		}
		return f, path, err
	}
	return new(File), "", nil
}

// trusted is nil if path is the user's own or root's.
func trusted(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || (int(st.Uid) != os.Geteuid() && st.Uid != 0) || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("the working directory has a %s that somebody else could have written; name it with --config %s if you mean it, or take away others' right to write to it (chmod go-w)", path, path)
	}
	return nil
}
