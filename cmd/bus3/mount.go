package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/bus3/bus3/cmd/internal/show"
	"github.com/bus3/bus3/fs"
)

type mountCmd struct {
	transfer
	caching
	Mountpoint string `arg:"" help:"An empty directory."`
	Background bool   `short:"b" help:"Return when the mount is ready, and go on in the background."`
	AllowOther bool   `help:"Let other users in, as far as the permissions in the backups let them."`
}

// Run mounts, says when the mount is ready, and serves it until it is unmounted or the process is told to end.
func (c *mountCmd) Run(ctx context.Context, a *app) error {
	if c.Background && !isBackground(a) {
		return startBackground(ctx)
	}
	holdReady(a)
	s, err := a.openReaderWith(ctx, &c.transfer)
	if err != nil {
		return err
	}
	defer s.close()
	reader, err := a.reader(s, &c.caching)
	if err != nil {
		return err
	}
	defer func() { _ = reader.Close() }()
	o := fs.Options{
		Mountpoint: c.Mountpoint, AllowOther: c.AllowOther,
		Log: slog.New(slog.NewTextHandler(a.err, &slog.HandlerOptions{Level: a.logLevel()})),
	}
	if s.replica {
		o.Refresh = func(ctx context.Context) error { return a.syncLocal(ctx, s) }
	}
	fs.Processors()
	server, err := fs.Mount(ctx, s.cat, reader, o)
	if err != nil {
		return err
	}
	if err := a.mounted(server.Mountpoint()); err != nil {
		return errors.Join(err, server.Unmount())
	}
	if isBackground(a) {
		if err := becomeDaemon(); err != nil {
			return errors.Join(err, server.Unmount())
		}
	}
	return a.serve(ctx, server)
}

func (a *app) logLevel() slog.Level {
	if a.Verbose {
		return slog.LevelDebug
	}
	return slog.LevelWarn
}

// mounted prints the one line that says that the mount is ready.
func (a *app) mounted(point string) error {
	if a.JSON {
		return a.line(map[string]string{"message_type": "mounted", "mountpoint": point})
	}
	if a.Quiet {
		return nil
	}
	if _, err := fmt.Fprintf(a.out, "Mounted on %s; `bus3 umount %s` ends it\n", show.Name(point), show.Name(point)); err != nil {
		return fmt.Errorf("write the output: %w", err)
	}
	return nil
}

// mountServer is a mount that is served.
type mountServer interface {
	Mountpoint() string
	Done() <-chan struct{}
	Unmount() error
}

// retryUnmount is how often a mount that is in use is tried again.
const retryUnmount = time.Second

// serve waits until the mount is unmounted, or ctx ends; then it unmounts. While somebody uses the mount, that is not
// possible: it says so and waits for them, and a second signal ends the process and leaves a mount in which everything fails.
func (a *app) serve(ctx context.Context, server mountServer) error {
	select {
	case <-server.Done():
		return nil
	case <-ctx.Done():
	}
	told := false
	for {
		err := server.Unmount()
		if err == nil {
			return nil
		}
		if !errors.Is(err, fs.ErrBusy) {
			return err
		}
		if !told {
			told = true
			a.say("%s is in use, and cannot be unmounted until it is not; a second ^C ends bus3 none the less, and leaves a broken mount for `bus3 umount`", show.Name(server.Mountpoint()))
		}
		select {
		case <-server.Done():
			return nil
		case <-time.After(retryUnmount):
		}
	}
}

type umountCmd struct {
	Mountpoint string `arg:"" help:"Where the backups are mounted."`
	Lazy       bool   `help:"Take the mount away at once, even if it is in use; it ends when nobody uses it any more."`
}

// Run ends a mount, also one whose server died.
func (c *umountCmd) Run(a *app) error {
	err := fs.Unmount(c.Mountpoint, c.Lazy)
	if errors.Is(err, fs.ErrBusy) {
		return hint(err, "close what is open in it and leave it with every shell (`fuser -vm %s` lists them), or use --lazy", c.Mountpoint)
	}
	return err
}
