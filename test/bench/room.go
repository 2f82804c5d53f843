package main

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// checkRoom sees to it that a corpus, a repository of each tool and one copy fit into memory, before they push the machine
// to a place where nothing can be measured. It takes data for incompressible.
func (b *bench) checkRoom(name string) error {
	size, variable, err := b.sizeOf(name)
	if err != nil {
		return err
	}
	const slack = 1 << 30 // programs and their caches
	stored := size
	if name == "usr" {
		stored /= 2 // it compresses to less than that; the others are noise
	}
	need := 2*size + stored*int64(len(b.tools())) + slack
	free, err := b.room()
	if err != nil {
		return err
	}
	if need > free {
		return fmt.Errorf("the corpus %s needs %.1f GiB of memory with all that is made of it, and there are %.1f: make it smaller with %s=, leave programs out, or name a larger tmpfs with DIR=",
			name, float64(need)/(1<<30), float64(free)/(1<<30), variable)
	}
	return nil
}

// sizeOf is how large a corpus will be, and the variable that says so.
func (b *bench) sizeOf(name string) (size int64, variable string, err error) {
	switch name {
	case "small50k":
		return int64(b.set.Files) * 4096, "FILES", nil
	case "big":
		return int64(b.set.Big) * int64(b.set.BigMiB) << 20, "BIG_MIB", nil
	}
	for _, dir := range b.set.Usr {
		t, err := count(dir)
		if err != nil {
			return 0, "", fmt.Errorf("USR: %w", err)
		}
		size += t.bytes
	}
	return size, "USR", nil
}

// room is how much the tmpfs and the memory can still take.
func (b *bench) room() (int64, error) {
	var fs unix.Statfs_t
	if err := unix.Statfs(b.dir, &fs); err != nil {
		return 0, err
	}
	free := int64(fs.Bavail) * fs.Bsize
	meminfo, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	var kib int64
	if _, err := fmt.Sscan(after(string(meminfo), "MemAvailable:"), &kib); err != nil {
		return 0, fmt.Errorf("read /proc/meminfo: %w", err)
	}
	return min(free, kib<<10), nil
}
