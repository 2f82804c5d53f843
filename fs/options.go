package fs

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
	"golang.org/x/sys/unix"
)

// Options of a mount. The zero value of everything but Mountpoint works.
type Options struct {
	Mountpoint string // an empty directory
	AllowOther bool   // let other users in, under the permissions and ACLs that the backup has
	Source     string // what df shows; "bus3" if empty

	ListingBytes int64         // memory for the listings of directories; 64 MiB if 0
	Interval     time.Duration // how old the list of scans may get while somebody looks at it; 2 s if 0
	// Refresh brings the catalog up to date, if need be. It is called in the background when somebody looks at the top
	// of the mount, but not more often than every 5 s.
	Refresh func(ctx context.Context) error

	Location *time.Location // of the times in by-host; time.Local if nil
	Log      *slog.Logger   // slog.Default() if nil
}

const (
	defaultListingBytes = 64 << 20
	defaultInterval     = 2 * time.Second
)

func (o *Options) setDefaults() {
	if o.Source == "" {
		o.Source = "bus3"
	}
	if o.ListingBytes <= 0 {
		o.ListingBytes = defaultListingBytes
	}
	if o.Interval <= 0 {
		o.Interval = defaultInterval
	}
	if o.Location == nil {
		o.Location = time.Local
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
}

const (
	// maxRead is the largest read that Linux sends by default.
	maxRead = 1 << 20
	// readAhead is what the kernel reads ahead in a file that is read in sequence, where it lets us say so.
	readAhead = 2 << 20
	// background is how many reads the kernel has under way that nobody waits for yet.
	background = 64
)

// KernelOptions are the options that every mount of bus3 has, and the do-nothing server that bus3 is measured against:
// read-only for the kernel too, so that reading touches no times; symlinks cached; several reads in flight.
//
// With allowOther, the kernel checks permissions and ACLs. Without, only who mounted gets in at all, and may read
// everything: whoever has the key of a repository could anyway.
func KernelOptions(source string, allowOther bool, log *slog.Logger) *fuse.MountOptions {
	o := &fuse.MountOptions{
		FsName:               source,
		Name:                 "bus3",
		AllowOther:           allowOther,
		EnableAcl:            allowOther, // implies default_permissions
		EnableSymlinkCaching: true,
		DisableSplice:        true, // data come from memory: splicing saves no copy
		MaxWrite:             maxRead,
		MaxBackground:        background,
		Options:              []string{"ro", "nosuid", "nodev"},
		DirectMount:          os.Geteuid() == 0,
		DirectMountFlags:     syscall.MS_RDONLY | syscall.MS_NOSUID | syscall.MS_NODEV,
		ExtraCapabilities:    fuse.CAP_NO_OPENDIR_SUPPORT | fuse.CAP_EXPORT_SUPPORT,
		Logger:               slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		PanicHandler: func(v any) fuse.Status {
			log.Error("a request panicked", "panic", v, "stack", stack())
			return fuse.EIO
		},
	}
	if allowOther {
		o.Options = append(o.Options, "default_permissions")
	}
	return o
}

// setReadAhead raises the kernel's read-ahead of a mount, which only root may: FUSE can only lower it. Without it, reads
// are smaller, and everything else is the same.
func setReadAhead(mountpoint string) {
	var st unix.Stat_t
	if os.Geteuid() != 0 || unix.Stat(mountpoint, &st) != nil {
		return
	}
	knob, err := os.OpenFile(fmt.Sprintf("/sys/class/bdi/%d:%d/read_ahead_kb", unix.Major(st.Dev), unix.Minor(st.Dev)), os.O_WRONLY, 0)
	if err != nil {
		return
	}
	_, _ = io.WriteString(knob, fmt.Sprint(readAhead>>10))
	_ = knob.Close()
}
