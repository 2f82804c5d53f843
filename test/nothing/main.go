// Command nothing mounts a FUSE file system in memory that does nothing: directories of small files, all alike,
// or the names and sizes of another tree, with the kernel options that bus3 has. It is what the read path of bus3 is measured against: the limit of FUSE on the machine.
//
//	go run ./test/nothing [-dirs 50] [-files 1000] [-size 4096] MOUNTPOINT
//	go run ./test/nothing -like DIR MOUNTPOINT
//
// It prints one line when the mount is ready, and ends when it is unmounted, by itself on ^C.
package main

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/bus3/bus3/fs"
)

func main() {
	dirs := flag.Int("dirs", 50, "directories")
	files := flag.Int("files", 1000, "files in each")
	size := flag.Int("size", 4096, "bytes of each")
	model := flag.String("like", "", "a directory whose names and sizes it has instead")
	flag.Parse()
	if flag.NArg() != 1 {
		fmt.Fprintln(os.Stderr, "usage: nothing [-dirs N] [-files N] [-size N] [-like DIR] MOUNTPOINT")
		os.Exit(2)
	}
	tree, err := plain(*dirs, *files, *size), error(nil)
	if *model != "" {
		tree, err = like(*model)
	}
	if err == nil {
		err = serve(flag.Arg(0), newNothing(tree))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "nothing:", err)
		os.Exit(1)
	}
}

func serve(mountpoint string, n *nothing) error {
	mountpoint, err := filepath.Abs(mountpoint)
	if err != nil {
		return err
	}
	fs.Processors()
	done, err := fs.Serve(n, mountpoint, fs.KernelOptions("nothing", false, slog.Default()))
	if err != nil {
		return err
	}
	fmt.Printf("mounted on %s\n", mountpoint)
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	select {
	case <-done:
		return nil
	case <-stop:
	}
	if err := fs.Unmount(mountpoint, false); err != nil {
		return err
	}
	<-done
	return nil
}
