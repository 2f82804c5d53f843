package source

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

func TestOwnersHaveNames(t *testing.T) {
	var o Owners
	for range 2 { // the second time from memory
		if user, group := o.Names(0, 0); user != "root" || group != "root" {
			t.Errorf("0 and 0 are %q and %q", user, group)
		}
		if user, group := o.Names(4_123_456_789, 4_123_456_788); user != "" || group != "" {
			t.Errorf("nobody is %q and %q", user, group)
		}
	}
}

func TestNamesAreReadAsTheSystemReadsThem(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwd")
	must(t, os.WriteFile(file, []byte("root:x:0:0::/root:/bin/sh\n# comment:x:1:\n+:::\n+nis:x:7:\nbad\nbad:x:y:\ntoor:x:0:\n:x:9:\nüser:x:4294967295:\nhuge:x:4294967296:\nlast:x:5:"), 0o644))
	want := map[uint32]string{0: "root", math.MaxUint32: "üser", 5: "last"}
	if got := readNames(file); !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got := readNames(file + ".none"); len(got) != 0 {
		t.Errorf("%v", got)
	}
}

func TestTimesFitOrSaturate(t *testing.T) {
	for at, want := range map[unix.StatxTimestamp]int64{
		{Sec: 0, Nsec: 1}:                     1,
		{Sec: -1, Nsec: 999_999_999}:          -1,
		{Sec: -1_000_000_000, Nsec: 5}:        -999_999_999_999_999_995,
		{Sec: 9_000_000_000, Nsec: 123}:       9_000_000_000_000_000_123,
		{Sec: math.MaxInt64, Nsec: 0}:         math.MaxInt64,
		{Sec: math.MinInt64, Nsec: 7}:         math.MinInt64,
		{Sec: 10_000_000_000, Nsec: 999_9999}: math.MaxInt64,
	} {
		if got := nanoseconds(at); got != want {
			t.Errorf("%+v: %d, not %d", at, got, want)
		}
	}
}
