package main

import (
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

func setUndumpable() { _ = unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0) }

// The idle class of ioprio_set(2): the disk is used only when nobody else wants it.
const (
	ioprioWhoProcess = 1
	ioprioIdle       = 3 << 13
	lowestPriority   = 19
)

// beNice gives way to all other programs. Priorities belong to threads: it must be called before there is work for more than
// the first, whose later siblings inherit them.
func beNice() error {
	threads, err := ownThreads()
	if err != nil {
		return fmt.Errorf("lower the priority: %w", err)
	}
	for _, tid := range threads {
		if err := unix.Setpriority(unix.PRIO_PROCESS, tid, lowestPriority); err != nil {
			return fmt.Errorf("lower the CPU priority: %w", err)
		}
		if _, _, errno := unix.Syscall(unix.SYS_IOPRIO_SET, ioprioWhoProcess, uintptr(tid), ioprioIdle); errno != 0 && errno != unix.ENOSYS {
			return fmt.Errorf("lower the disk priority: %w", errno)
		}
	}
	return nil
}

// ownThreads lists the IDs of the process's threads.
func ownThreads() ([]int, error) {
	names, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return nil, err
	}
	var ids []int
	for _, n := range names {
		if id, err := strconv.Atoi(n.Name()); err == nil {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

func major(dev uint64) uint32 { return unix.Major(dev) }
func minor(dev uint64) uint32 { return unix.Minor(dev) }
