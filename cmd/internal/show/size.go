package show

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
)

// Size is a number of bytes as people read it: "1.2 GiB".
func Size(n int64) string {
	if n < 0 {
		return "-" + humanize.IBytes(uint64(-n))
	}
	return humanize.IBytes(uint64(n))
}

// Count is a number with its thousands apart: "1,234,567".
func Count(n int64) string { return humanize.Comma(n) }

// Plural is a count with the word for one or for many: "1 file", "2 files".
func Plural(n int64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Duration is d to two or three digits: "0.31 s", "12 s", "3 min 20 s", "2 h 5 min".
func Duration(d time.Duration) string {
	switch s := d.Seconds(); {
	case s < 10:
		return fmt.Sprintf("%.2f s", s)
	case s < 60:
		return fmt.Sprintf("%.0f s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %d s", int(s)/60, int(s)%60)
	default:
		return fmt.Sprintf("%d h %d min", int(s)/3600, int(s)/60%60)
	}
}

// Time is a moment in ns since 1970 in local time, as `bus3 list` prints it: "2021-06-24 15:31:01".
func Time(ns int64) string { return time.Unix(0, ns).Format(time.DateTime) }
