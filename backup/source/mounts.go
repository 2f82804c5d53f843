package source

import (
	"bytes"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// FSType is the type that mounts of bus3 have in /proc/self/mountinfo. They are never backed up.
const FSType = "fuse.bus3"

// kernelFileSystem is the name of a file system that the kernel makes up, by the magic number of statfs(2); "" for those that hold
// somebody's data. hugetlbfs shares its number with ramfs, and autofs and devtmpfs hold names that are somebody's: all three are entered.
func kernelFileSystem(magic int64) string {
	switch uint32(magic) {
	case unix.PROC_SUPER_MAGIC:
		return "proc"
	case unix.SYSFS_MAGIC:
		return "sysfs"
	case unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC:
		return "cgroup"
	case unix.DEBUGFS_MAGIC:
		return "debugfs"
	case unix.TRACEFS_MAGIC:
		return "tracefs"
	case unix.SECURITYFS_MAGIC:
		return "securityfs"
	case unix.PSTOREFS_MAGIC:
		return "pstore"
	case unix.BPF_FS_MAGIC:
		return "bpf"
	case unix.DEVPTS_SUPER_MAGIC:
		return "devpts"
	case unix.EFIVARFS_MAGIC:
		return "efivarfs"
	case unix.BINFMTFS_MAGIC:
		return "binfmt_misc"
	case unix.BINDERFS_SUPER_MAGIC:
		return "binder"
	case unix.NSFS_MAGIC:
		return "nsfs"
	case unix.SELINUX_MAGIC:
		return "selinuxfs"
	case unix.SMACK_MAGIC:
		return "smackfs"
	case unix.AAFS_MAGIC:
		return "apparmorfs"
	case unix.RDTGROUP_SUPER_MAGIC:
		return "resctrl"
	case unix.XENFS_SUPER_MAGIC:
		return "xenfs"
	case unix.USBDEVICE_SUPER_MAGIC:
		return "usbfs"
	case unix.OPENPROM_SUPER_MAGIC:
		return "openpromfs"
	case 0x62656570:
		return "configfs"
	case 0x65735543:
		return "fusectl"
	case 0x19800202:
		return "mqueue"
	case 0x67596969:
		return "rpc_pipefs"
	case 0x6e667364:
		return "nfsd"
	}
	return ""
}

// neverEntered tells why the file system of an open directory is never entered, "" if it is. Each is looked at once.
func (t *Tree) neverEntered(fd int, dev uint64) string {
	t.mu.Lock()
	defer t.mu.Unlock()
	why, known := t.closed[dev]
	if known {
		return why
	}
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return "" // what is wrong with it shows when it is read
	}
	why = kernelFileSystem(int64(fs.Type))
	if uint32(fs.Type) == unix.FUSE_SUPER_MAGIC {
		why = bus3Mount(dev)
	}
	if len(t.closed) > 1<<16 { // btrfs has a device per subvolume
		clear(t.closed)
	}
	t.closed[dev] = why
	return why
}

// bus3Mount is FSType if the device is a mount of bus3, otherwise "".
func bus3Mount(dev uint64) string {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return ""
	}
	if mountType(table, dev) == FSType {
		return FSType
	}
	return ""
}

// mountType is the type of the file system of a device in a table in the form of /proc/self/mountinfo, "" if it has none.
func mountType(table []byte, dev uint64) string {
	want := strconv.Itoa(int(unix.Major(dev))) + ":" + strconv.Itoa(int(unix.Minor(dev)))
	for line := range bytes.Lines(table) {
		before, after, found := bytes.Cut(line, []byte(" - "))
		fields := bytes.Fields(before)
		kind := bytes.Fields(after)
		if found && len(fields) > 2 && len(kind) > 0 && string(fields[2]) == want {
			return string(kind[0])
		}
	}
	return ""
}
