package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// demo is the stage.
type demo struct {
	program  string
	dir      string
	env      []string
	cleanups []func() error
}

func (d *demo) path(parts ...string) string {
	return filepath.Join(append([]string{d.dir}, parts...)...)
}

// environment gives bus3 a home of its own, and no configuration.
func (d *demo) environment() {
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, "BUS3_") && !strings.HasPrefix(name, "XDG_") && !strings.HasPrefix(name, "AWS_") && name != "HOME" {
			d.env = append(d.env, pair)
		}
	}
	d.env = append(d.env, "HOME="+d.path("user"), "LC_ALL=C.UTF-8")
}

// bus3 shows and runs a bus3 command.
func (d *demo) bus3(ctx context.Context, args ...string) error {
	fmt.Println("$ bus3 " + strings.Join(args, " "))
	return d.run(ctx, d.program, args...)
}

// sh shows and runs a command line.
func (d *demo) sh(ctx context.Context, line string) error {
	fmt.Println("$ " + line)
	return d.run(ctx, "sh", "-c", line)
}

func (d *demo) run(ctx context.Context, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env, cmd.Dir = d.env, d.dir
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s %s: %w", filepath.Base(name), strings.Join(args, " "), err)
	}
	return nil
}

// quietly runs a command that is no part of the show.
func (d *demo) quietly(ctx context.Context, name string, args ...string) error {
	if out, err := exec.CommandContext(ctx, name, args...).CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", name, err, out)
	}
	return nil
}

// same shows and runs a comparison of two directories by rsync, and fails if it finds a difference.
func (d *demo) same(ctx context.Context, a, b string) error {
	args := []string{"-naHAXS", "--checksum", "--delete", "-i", d.path(a) + "/", d.path(b) + "/"}
	fmt.Println("$ rsync " + strings.Join(args, " "))
	cmd := exec.CommandContext(ctx, "rsync", args...)
	out, err := cmd.CombinedOutput()
	if err != nil || len(bytes.TrimSpace(out)) > 0 {
		fmt.Printf("%s", out)
		return fmt.Errorf("%s and %s differ: %w", a, b, errors.Join(err, errDifferent))
	}
	return nil
}

var errDifferent = errors.New("rsync would change something")

// clear takes the stage down, whatever happened on it.
func (d *demo) clear() error {
	var all []error
	if names, err := os.ReadDir(d.path("mnt")); err == nil && len(names) > 0 { // still mounted: something failed before
		cmd := exec.Command(d.program, "umount", "--lazy", d.path("mnt"))
		cmd.Env = d.env
		all = append(all, cmd.Run())
	}
	for i := len(d.cleanups) - 1; i >= 0; i-- {
		all = append(all, d.cleanups[i]())
	}
	return errors.Join(append(all, os.RemoveAll(d.dir))...)
}

func write(name string, data []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, data, 0o644)
}

// noise is incompressible, and the same for each seed.
func noise(seed uint64, n int) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	out := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(out) // never fails
	return out
}
