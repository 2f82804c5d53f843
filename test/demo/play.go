package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

// play is the demo, step by step.
func (d *demo) play(ctx context.Context) error {
	steps := []struct {
		text string
		step func(context.Context) error
	}{
		{"A directory with a few things in it:", d.populate},
		{"The first backup:", d.backup},
		{"Some changes: a text edited, a file removed, a directory renamed, a new file:", d.change},
		{"The second backup stores only what is new:", d.backup},
		{"Both are there:", func(ctx context.Context) error { return d.bus3(ctx, "list", "--long") }},
		{"And both can be walked through:", d.mount},
		{"A restore is a copy. The newest, and the one before the changes:", d.copyOut},
		{"Are the copies what they should be? Everything is compared: content, times, owners, links, attributes. No line means no difference:", d.compare},
		{"bus3 can copy without a mount, too:", d.restore},
		{"That was it:", func(ctx context.Context) error { return d.bus3(ctx, "umount", d.path("mnt")) }},
	}
	for _, s := range steps {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		fmt.Printf("\n# %s\n", s.text)
		if err := s.step(ctx); err != nil {
			return err
		}
	}
	fmt.Println("\nDone: 2 backups, 1 mount, 3 restores, no difference.")
	return nil
}

// populate makes the directory that is backed up.
func (d *demo) populate(ctx context.Context) error {
	files := map[string]string{
		"letters/to-ada.txt":   "Dear Ada,\nthe engine computes.\n",
		"letters/to-grace.txt": "Dear Grace,\nthere was a moth in it.\n",
		"todo.txt":             "back up\n",
		"old.txt":              "remove me\n",
	}
	for name, text := range files {
		if err := write(d.path("home", name), []byte(text)); err != nil {
			return err
		}
	}
	for i := range 200 {
		if err := write(d.path("home", "photos", fmt.Sprintf("%03d.raw", i)), noise(uint64(i), 20_000)); err != nil {
			return err
		}
	}
	if err := os.Link(d.path("home", "todo.txt"), d.path("home", "letters", "hardlink")); err != nil {
		return err
	}
	if err := os.Symlink("letters/to-ada.txt", d.path("home", "newest letter")); err != nil {
		return err
	}
	return d.sh(ctx, "ls -l "+d.path("home"))
}

// change changes it, and keeps what it was for the comparison.
func (d *demo) change(ctx context.Context) error {
	if err := d.quietly(ctx, "cp", "-a", d.path("home"), d.path("before")); err != nil {
		return err
	}
	if err := write(d.path("home", "new.bin"), noise(1000, 1<<20)); err != nil {
		return err
	}
	return d.sh(ctx, fmt.Sprintf("cd %s && echo and again >> todo.txt && rm old.txt && mv photos pictures && ls -l", d.path("home")))
}

func (d *demo) backup(ctx context.Context) error { return d.bus3(ctx, "backup", d.path("home")) }

func (d *demo) mount(ctx context.Context) error {
	if err := os.Mkdir(d.path("mnt"), 0o700); err != nil {
		return err
	}
	if err := d.bus3(ctx, "mount", d.path("mnt"), "--background"); err != nil {
		return err
	}
	return d.sh(ctx, fmt.Sprintf("cd %s && ls -l && ls -l 0 1", d.path("mnt")))
}

func (d *demo) copyOut(ctx context.Context) error {
	if err := d.sh(ctx, fmt.Sprintf("cp -a %s %s", d.path("mnt", "latest")+"/.", d.path("after-copy"))); err != nil {
		return err
	}
	return d.sh(ctx, fmt.Sprintf("cp -a %s %s", d.path("mnt", "0")+"/.", d.path("before-copy")))
}

func (d *demo) compare(ctx context.Context) error {
	return first(d.same(ctx, "home", "after-copy"), d.same(ctx, "before", "before-copy"), d.same(ctx, "home", filepath.Join("mnt", "latest")), d.same(ctx, "before", filepath.Join("mnt", "0")))
}

func (d *demo) restore(ctx context.Context) error {
	if err := d.bus3(ctx, "restore", "all", d.path("restored"), "0"); err != nil {
		return err
	}
	return d.same(ctx, "before", "restored")
}

func first(all ...error) error {
	for _, err := range all {
		if err != nil {
			return err
		}
	}
	return nil
}
