package source

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/bus3/bus3/catalog"
)

func TestALargeDirectoryIsListedWhole(t *testing.T) {
	dir := t.TempDir()
	var want []string
	for i := range 5000 {
		name := fmt.Sprintf("%d of many", i)
		want = append(want, name)
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
	}
	slices.Sort(want)
	if _, got := list(t, open(t, dir, Options{})); !slices.Equal(names(got), want) {
		t.Errorf("%d names, not %d, or in another order", len(got), len(want))
	}
}

func TestListingStopsWhenItMust(t *testing.T) {
	src := open(t, t.TempDir(), Options{})
	root, _, err := src.Root()
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := src.List(ctx, root, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestOnlyTheTagOfACacheIsKept(t *testing.T) {
	const signature = "Signature: 8a477f597d28d172789f06886806bc55"
	for content, want := range map[string][]string{
		signature:                       {"CACHEDIR.TAG"},
		signature + "\n# what made it":  {"CACHEDIR.TAG"},
		signature[1:] + "\n":            {"CACHEDIR.TAG", "data", "sub"},
		"":                              {"CACHEDIR.TAG", "data", "sub"},
		strings.Repeat("something", 20): {"CACHEDIR.TAG", "data", "sub"},
	} {
		dir := t.TempDir()
		must(t, os.WriteFile(filepath.Join(dir, "CACHEDIR.TAG"), []byte(content), 0o644))
		must(t, os.WriteFile(filepath.Join(dir, "data"), nil, 0o644))
		must(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
		if _, got := list(t, open(t, dir, Options{SkipCaches: true})); !slices.Equal(names(got), want) {
			t.Errorf("%.20q: %q", content, names(got))
		}
		if _, got := list(t, open(t, dir, Options{})); len(got) != 3 {
			t.Errorf("%.20q, caches are not skipped: %q", content, names(got))
		}
	}
	dir := t.TempDir()
	must(t, unix.Mkfifo(filepath.Join(dir, "CACHEDIR.TAG"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "data"), nil, 0o644))
	if _, got := list(t, open(t, dir, Options{SkipCaches: true})); len(got) != 2 {
		t.Errorf("a FIFO makes a cache: %q", names(got))
	}
}

func TestHostileNamesAreRefused(t *testing.T) {
	dirent := func(length int, name string) []byte {
		b := make([]byte, 19, 19+len(name))
		b[16], b[17] = byte(length), byte(length>>8)
		return append(b, name...)
	}
	for _, bad := range [][]byte{dirent(0, "a\x00"), dirent(18, "a\x00"), dirent(99, "a\x00"), dirent(20, "a"), {1, 2, 3}} {
		if got, err := appendNames(nil, bad); err == nil {
			t.Errorf("%x gives %q", bad, got)
		}
	}
	good := slices.Concat(dirent(24, ".\x00\x00\x00\x00"), dirent(24, "..\x00\x00\x00"), dirent(24, "abc\x00x"), dirent(21, "d\x00"))
	if got, err := appendNames(nil, good); err != nil || string(got) != "abc\x00d\x00" {
		t.Errorf("%q, %v", got, err)
	}
}

func TestWhatMayNotBeReadIsTold(t *testing.T) {
	dir, err := os.MkdirTemp("", "bus3-source-")
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	must(t, os.Chmod(dir, 0o755))
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"closed", "names only", "through only"} {
		must(t, os.Mkdir(at(name), 0o755))
		must(t, os.WriteFile(at(name+"/f"), nil, 0o644))
	}
	must(t, os.WriteFile(at("unreadable"), []byte("x"), 0o000))
	must(t, os.Chmod(at("closed"), 0o000))
	must(t, os.Chmod(at("names only"), 0o444))
	must(t, os.Chmod(at("through only"), 0o111))
	defer os.Chmod(at("closed"), 0o755)       //nolint:errcheck // for the clean-up
	defer os.Chmod(at("names only"), 0o755)   //nolint:errcheck // for the clean-up
	defer os.Chmod(at("through only"), 0o755) //nolint:errcheck // for the clean-up
	asNobody(t, func() {
		src, err := Open(dir, Options{})
		if err != nil {
			t.Error(err)
			return
		}
		defer src.Close() //nolint:errcheck // nothing was written
		root, _, _ := src.Root()
		stats, problems, err := src.List(context.Background(), root, nil)
		if len(stats) != 4 || len(problems) != 0 || err != nil {
			t.Errorf("root: %v, %v, %v", names(stats), problems, err)
			return
		}
		for i, want := range []int{0, 2, 0} { // closed, names only, through only
			inside, problems, err := src.List(context.Background(), root.Child(stats[i].Name), &stats[i])
			if want == 0 && (!errors.Is(err, os.ErrPermission) || err.Error() != "open: permission denied") {
				t.Errorf("%s: %v", stats[i].Name, err)
			}
			if want == 2 && (err != nil || len(inside) != 0 || len(problems) != 1 ||
				problems[0] != catalog.Problem{Path: at("names only/f"), Message: "stat: permission denied"}) {
				t.Errorf("%s: %v, %v, %v", stats[i].Name, inside, problems, err)
			}
			if _, _, err := src.Attributes(root, &stats[i]); err != nil {
				t.Errorf("attributes of %s: %v", stats[i].Name, err)
			}
		}
		if _, err := src.OpenFile(root, &stats[3]); !errors.Is(err, os.ErrPermission) || err.Error() != "open: permission denied" {
			t.Errorf("unreadable: %v", err)
		}
		if st, err := src.Stat(root.Child("through only"), "f"); err != nil || st.Kind != catalog.File {
			t.Errorf("through only: %+v, %v", st, err)
		}
	})
}

// asNobody runs a function without the rights of root: on a thread of its own, that ends with it.
func asNobody(t *testing.T, run func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		run()
		return
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread must not be used again
		const nobody = 65534
		if _, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, 0, 0, 0); errno != 0 {
			t.Errorf("setgroups: %v", errno)
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESGID, nobody, nobody, nobody); errno != 0 {
			t.Errorf("setresgid: %v", errno)
		}
		if _, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, nobody, nobody, nobody); errno != 0 {
			t.Errorf("setresuid: %v", errno)
			return
		}
		run()
	}()
	<-done
}
