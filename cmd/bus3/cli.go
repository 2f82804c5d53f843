package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/bus3/bus3/cmd/internal/config"
)

// cli is all that can be said on the command line. Each command is in a file of its own.
type cli struct {
	globals

	Init    initCmd    `cmd:"" help:"Make a repository: initialise a store and a catalog."`
	Backup  backupCmd  `cmd:"" help:"Back directories up."`
	List    listCmd    `cmd:"" default:"withargs" help:"List the backups (what bus3 does when told nothing else)."`
	Ls      lsCmd      `cmd:"" help:"Show what is in a backup, or in a directory of it."`
	Mount   mountCmd   `cmd:"" help:"Show all backups as directories, to copy from with cp -a or rsync."`
	Umount  umountCmd  `cmd:"" help:"End a mount."`
	Restore restoreCmd `cmd:"" help:"Copy all of a backup, or a path in it, into a directory."`
	Check   checkCmd   `cmd:"" help:"See whether the store has all that the catalog needs, and that none of it is damaged."`
	Rebuild rebuildCmd `cmd:"" help:"Fill a catalog from the store: after the database was lost, or to move to another one."`
	Key     keyCmd     `cmd:"" help:"Manage what opens the repository: passphrases, age keys, SSH keys."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// globals are understood by all commands. The environment variables stand in for flags that are not given.
type globals struct {
	Store    string `env:"BUS3_STORE" placeholder:"URL" help:"Where the backups are: s3://bucket/prefix?endpoint=https://host:port&region=… or file:///path."`
	Catalog  string `env:"BUS3_CATALOG" placeholder:"URL" help:"What is known about them: postgres://… or sqlite:///path. Readers can do without."`
	Config   string `env:"BUS3_CONFIG" placeholder:"FILE" help:"Configuration; else ./bus3.yaml, ~/.config/bus3/bus3.yaml or /etc/bus3/bus3.yaml."`
	KeyFile  string `env:"BUS3_KEY_FILE" placeholder:"FILE" help:"An age identity or an SSH key (ed25519, RSA). Instead, a passphrase comes from BUS3_PASSPHRASE_FILE, BUS3_PASSPHRASE_COMMAND, BUS3_PASSPHRASE or the terminal."`
	CacheDir string `env:"BUS3_CACHE_DIR" placeholder:"DIR" help:"For data that was read and for replicas of catalogs; else ~/.cache/bus3."`
	JSON     bool   `name:"json" help:"Print JSON, for programs."`
	Quiet    bool   `short:"q" help:"Say only what went wrong."`
	Verbose  bool   `short:"v" help:"Say more."`
}

// transfer are the limits of those commands that move data.
type transfer struct {
	LimitUpload   int64 `placeholder:"KIB/S" help:"Send at most that many KiB per second."`
	LimitDownload int64 `placeholder:"KIB/S" help:"Fetch at most that many KiB per second."`
}

// caching are the caches of those commands that read data.
type caching struct {
	CacheSize config.Size `placeholder:"SIZE" help:"Memory for data that was read; 96MiB if not given."`
	DiskCache config.Size `placeholder:"SIZE" help:"Disk space for data that was read, still encrypted, in the cache directory; if not given 4GiB, and none for a store in a directory; 0 for none."`
}

// run is bus3 without os.Exit: it returns the exit code.
func run(ctx context.Context, args []string, t *terminal) int {
	var c cli
	asked := false // for help, which kong has printed then
	parser, err := kong.New(&c, kong.Name("bus3"),
		kong.Description("Backups to S3 that you can walk through."),
		kong.Writers(t.out, t.err), kong.Exit(func(int) { asked = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}))
	if err != nil {
		return t.fail(ctx, nil, fmt.Errorf("read the command line: %w", err))
	}
	command, err := parser.Parse(args)
	switch {
	case asked:
		return 0
	case err != nil:
		return t.fail(ctx, nil, usageError(err, args))
	}
	a, err := newApp(&c.globals, t)
	if err != nil {
		return t.fail(ctx, nil, err)
	}
	command.BindTo(ctx, (*context.Context)(nil))
	if err := command.Run(a); err != nil {
		return t.fail(ctx, a, err)
	}
	return 0
}

// usageError adds where help is to what kong says.
func usageError(err error, args []string) error {
	help := "bus3 --help"
	var parse *kong.ParseError
	if errors.As(err, &parse) && parse.Context != nil && parse.Context.Selected() != nil {
		// The default command may have been selected though nobody named it.
		if name := strings.Fields(parse.Context.Command())[0]; slices.Contains(args, name) {
			help = "bus3 " + name + " --help"
		}
	}
	return fmt.Errorf("%w; `%s` tells how to use it", err, help)
}

// app is what a command works with.
type app struct {
	*globals
	*terminal
	file *config.File
	dirs config.Dirs
}

func newApp(g *globals, t *terminal) (*app, error) {
	dirs, err := config.FindDirs(t.getenv)
	if err != nil {
		return nil, err
	}
	file, _, err := config.Load(g.Config, dirs)
	if err != nil {
		return nil, err
	}
	return &app{globals: g, terminal: t, file: file, dirs: dirs}, nil
}

// buffered lets a command print without asking after each line whether that went well.
func (a *app) buffered(fn func(w io.Writer)) error {
	var b bytes.Buffer
	fn(&b)
	if _, err := a.out.Write(b.Bytes()); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}
