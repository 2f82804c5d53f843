package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/bus3/bus3/backup"
	"github.com/bus3/bus3/cmd/internal/config"
	"github.com/bus3/bus3/cmd/internal/exclude"
	"github.com/bus3/bus3/cmd/internal/show"
	"github.com/bus3/bus3/s3store/seal"
)

type backupCmd struct {
	transfer
	Dirs []string `arg:"" optional:"" name:"DIR" help:"Directories, each a backup of its own; else those that the configuration names as roots."`

	Host          string   `help:"Back up under that name of a host, and not this machine's."`
	Tag           []string `placeholder:"TAG" help:"Mark the backup; may be repeated."`
	Exclude       []string `sep:"none" placeholder:"PATTERN" help:"Leave out what matches, in the language of .gitignore files, relative to DIR; may be repeated."`
	ExcludeFile   []string `sep:"none" placeholder:"FILE" help:"Leave out what matches a line of the file; may be repeated."`
	ExcludeCaches bool     `help:"Leave out what is in directories that have a CACHEDIR.TAG."`
	OneFileSystem bool     `short:"x" help:"Do not go into other file systems that are mounted below DIR."`
	IgnoreInode   bool     `help:"Do not take a file for changed because of its inode number (network file systems)."`
	IgnoreCtime   bool     `help:"Do not take a file for changed because of its ctime (network file systems)."`
	Force         bool     `help:"Read all files, also those that look unchanged."`
	FilesFrom     []string `sep:"none" placeholder:"FILE" help:"Look only at the paths listed in FILE, one a line or NUL-separated, and take all else for unchanged; - is standard input."`
	DryRun        bool     `short:"n" help:"Say what would be stored, and store nothing."`

	Compression string `placeholder:"LEVEL" help:"auto, off, fastest, default or better; auto if not given."`
	Jobs        int    `short:"j" placeholder:"N" help:"How many files to read at once."`
	Nice        bool   `help:"Give way to other programs: lowest CPU and disk priority."`
}

// Run backs up one directory after the other. One that fails does not keep the others from being backed up.
func (c *backupCmd) Run(ctx context.Context, a *app) error {
	plan, err := c.plan(a)
	if err != nil {
		return err
	}
	if c.Nice || a.file.Nice {
		if err := beNice(); err != nil {
			return err
		}
	}
	s, err := a.openWriter(ctx, &c.transfer)
	if err != nil {
		return err
	}
	defer s.close()
	collect(collectBackingUp)
	var all []error
	partial := false
	for i := range plan {
		err := a.backupOne(ctx, s, &plan[i])
		if partial = partial || errors.Is(err, errPartial); errors.Is(err, errPartial) {
			continue
		}
		if all = append(all, err); ctx.Err() != nil {
			break
		}
	}
	a.tellOfOtherHosts(ctx, s, plan[0].Host)
	if s.losses > 0 {
		a.say("%s lost; the warnings above say what that means, and `bus3 check` looks at everything", show.Plural(int64(s.losses), "journal object is", "journal objects are"))
		partial = true
	}
	if err := errors.Join(all...); err != nil || !partial {
		return err
	}
	return errPartial
}

// plan makes the options of the runs, and finds all mistakes before the first of them begins.
func (c *backupCmd) plan(a *app) ([]backup.Options, error) {
	dirs := c.Dirs
	if len(dirs) == 0 {
		dirs = a.file.Roots
	}
	if len(dirs) == 0 {
		return nil, errors.New("nothing to back up: name a directory, as in `bus3 backup /home`, or list some as roots in bus3.yaml")
	}
	common, err := c.common(a)
	if err != nil {
		return nil, err
	}
	var plan []backup.Options
	for _, dir := range dirs {
		o := common
		if o.Root, err = rootOf(dir); err != nil {
			return nil, err
		}
		if o.Skip, err = c.skip(a, o.Root); err != nil {
			return nil, err
		}
		plan = append(plan, o)
	}
	return plan, nil
}

// common is what is the same for all directories.
func (c *backupCmd) common(a *app) (backup.Options, error) {
	o := backup.Options{
		Host: first(c.Host, a.file.Host), Tags: c.Tag, Program: program(),
		OneFileSystem: c.OneFileSystem || a.file.OneFileSystem, SkipCaches: c.ExcludeCaches || a.file.ExcludeCaches,
		IgnoreInode: c.IgnoreInode || a.file.IgnoreInode, IgnoreCtime: c.IgnoreCtime || a.file.IgnoreCtime,
		Force: c.Force, DryRun: c.DryRun, Jobs: c.Jobs,
	}
	if len(o.Tags) == 0 {
		o.Tags = a.file.Tags
	}
	if o.Jobs == 0 {
		o.Jobs = a.file.Jobs
	}
	if err := config.CheckJobs(o.Jobs); err != nil {
		return o, fmt.Errorf("--jobs is how many files are read at once: %w", err)
	}
	if err := config.CheckCompression(c.Compression); err != nil {
		return o, fmt.Errorf("--compression: %w", err)
	}
	var err error
	if o.Host == "" {
		if o.Host, err = os.Hostname(); err != nil || o.Host == "" {
			return o, errors.New("this machine has no name; give one with --host")
		}
	}
	o.Compression = compression(first(c.Compression, a.file.Compression))
	if len(c.FilesFrom) > 0 {
		if o.FilesFrom, err = readLists(c.FilesFrom); err != nil {
			return o, err
		}
	}
	return o, nil
}

func compression(name string) seal.Compression {
	switch name {
	case "off":
		return seal.Off
	case "fastest":
		return seal.Fastest
	case "default":
		return seal.Default
	case "better":
		return seal.Better
	}
	return seal.Auto
}

// rootOf is the absolute path of a directory, without symlinks: so that one directory is one source whatever way leads to it.
func rootOf(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return "", fmt.Errorf("back up %s: %w", show.Name(dir), err)
	}
	info, err := os.Stat(abs)
	switch {
	case err != nil:
		return "", fmt.Errorf("back up %s: %w", show.Name(dir), err)
	case !info.IsDir():
		return "", fmt.Errorf("back up %s: it is not a directory; name the directory that it is in", show.Name(dir))
	}
	return abs, nil
}

// skip makes the rules of what is left out of one directory. nil leaves nothing out.
func (c *backupCmd) skip(a *app, root string) (func(string, bool) bool, error) {
	var rules exclude.Patterns
	for _, file := range append(append([]string(nil), a.file.ExcludeFile...), c.ExcludeFile...) {
		if err := rules.AddFile(file); err != nil {
			return nil, err
		}
	}
	below := strings.TrimSuffix(root, "/") + "/"
	for _, pattern := range append(append([]string(nil), a.file.Exclude...), c.Exclude...) {
		if err := rules.Add(beneath(below, pattern)); err != nil {
			return nil, err
		}
	}
	if rules.Len() == 0 {
		return nil, nil
	}
	return func(path string, dir bool) bool {
		rel, ok := strings.CutPrefix(path, below)
		return ok && rules.Skip(rel, dir)
	}, nil
}

// beneath takes a pattern that begins with the backup's root for the absolute path that it looks like: in a .gitignore file it
// would name something of that name below the root, which nobody means.
func beneath(below, pattern string) string {
	not := ""
	rest := pattern
	if strings.HasPrefix(rest, "!") {
		not, rest = "!", rest[1:]
	}
	if rel, absolute := strings.CutPrefix(rest, below); absolute && below != "/" && rel != "" {
		return not + "/" + rel
	}
	return pattern
}

// readLists reads files of paths, one a line, or NUL-separated where there is a NUL. The result is not nil.
func readLists(names []string) ([]string, error) {
	paths := []string{}
	for _, name := range names {
		in := io.Reader(os.Stdin)
		if name != "-" {
			h, err := os.Open(name)
			if err != nil {
				return nil, fmt.Errorf("read the list of files: %w", err)
			}
			defer func() { _ = h.Close() }()
			in = h
		}
		more, err := readList(in)
		if err != nil {
			return nil, fmt.Errorf("read the list of files %s: %w", name, err)
		}
		paths = append(paths, more...)
	}
	return paths, nil
}

func readList(in io.Reader) ([]string, error) {
	buffered := bufio.NewReaderSize(in, 64<<10)
	head, err := buffered.Peek(64 << 10) // a path is shorter: if NULs separate them, there is one here
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	end := byte('\n')
	if bytes.IndexByte(head, 0) >= 0 {
		end = 0
	}
	var paths []string
	for {
		line, err := buffered.ReadString(end)
		if path := strings.TrimSuffix(line, string(end)); path != "" {
			paths = append(paths, path)
		}
		if errors.Is(err, io.EOF) {
			return paths, nil
		}
		if err != nil {
			return nil, err
		}
	}
}
