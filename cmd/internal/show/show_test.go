package show

import (
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bus3/bus3/catalog"
)

func TestNamesThatCouldHarmATerminalAreQuoted(t *testing.T) {
	for _, c := range []struct{ name, want string }{
		{"plain", "plain"},
		{"with space", "with space"},
		{"größe – 日本", "größe – 日本"},
		{`back\slash`, `back\slash`},
		{"", "$''"},
		{" lead", "$' lead'"},
		{"trail ", "$'trail '"},
		{"$'x'", `$'$\'x\''`},
		{"a\nb", `$'a\nb'`},
		{"\x1b[2J", `$'\033[2J'`},
		{"\xff\xfe", `$'\377\376'`},
		{"it's\t\\", `$'it\'s\t\\'`},
		{"right\u202eleft", `$'right\342\200\256left'`},
		{"c1\u009b", `$'c1\302\233'`},
		{"\x011", `$'\0011'`},
	} {
		if got := Name(c.name); got != c.want {
			t.Errorf("Name(%q) = %s, want %s", c.name, got, c.want)
		}
	}
}

func TestBashReadsQuotedNamesBack(t *testing.T) {
	var all strings.Builder
	for c := range 255 {
		all.WriteByte(byte(c + 1)) // all bytes that a name can have, and the slash
	}
	for _, name := range []string{all.String(), "\xff1", "a\n'b'\\n", "\u202e"} {
		out, err := exec.Command("bash", "-c", "printf %s "+Name(name)).Output()
		if err != nil || string(out) != name {
			t.Errorf("bash made %q of %q: %v", out, name, err)
		}
	}
}

func TestLineLeavesNothingThatMovesTheCursor(t *testing.T) {
	if got, want := Line("a\x1b[1mb\nc\td\u202e"), "a\uFFFD[1mb\nc d\uFFFD"; got != want {
		t.Errorf("Line = %q, want %q", got, want)
	}
}

func TestModesLookLikeThoseOfLs(t *testing.T) {
	for _, c := range []struct {
		kind catalog.Kind
		mode uint32
		want string
	}{
		{catalog.File, 0o644, "-rw-r--r--"},
		{catalog.Directory, 0o1777, "drwxrwxrwt"},
		{catalog.File, 0o4755, "-rwsr-xr-x"},
		{catalog.File, 0o6644, "-rwSr-Sr--"},
		{catalog.Directory, 0o1000, "d--------T"},
		{catalog.Symlink, 0o777, "lrwxrwxrwx"},
		{catalog.FIFO, 0, "p---------"},
		{catalog.Socket, 0, "s---------"},
		{catalog.CharDevice, 0, "c---------"},
		{catalog.BlockDevice, 0, "b---------"},
	} {
		if got := Mode(c.kind, c.mode); got != c.want {
			t.Errorf("Mode(%s, %o) = %s, want %s", c.kind, c.mode, got, c.want)
		}
	}
}

func TestSizesAndDurations(t *testing.T) {
	for got, want := range map[string]string{
		Size(0):                               "0 B",
		Size(1536):                            "1.5 KiB",
		Size(-2048):                           "-2.0 KiB",
		Plural(1, "file", "files"):            "1 file",
		Plural(1234, "file", "files"):         "1,234 files",
		Duration(310 * time.Millisecond):      "0.31 s",
		Duration(12 * time.Second):            "12 s",
		Duration(200 * time.Second):           "3 min 20 s",
		Duration(2*time.Hour + 5*time.Minute): "2 h 5 min",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestTableColumnsLineUp(t *testing.T) {
	var b strings.Builder
	if err := Table(&b, [][]string{{"#", "name", "size"}, {"10", "größe", "1"}, {"2", "a"}}, 0, 2); err != nil {
		t.Fatal(err)
	}
	if want := " #  name   size\n10  größe     1\n 2  a\n"; b.String() != want {
		t.Errorf("got\n%s want\n%s", b.String(), want)
	}
}

func TestProgressShowsWhatIsDoneAndLeavesNoLine(t *testing.T) {
	var b strings.Builder
	drawn := make(chan struct{}, 1)
	calls := 0
	p := Start(&b, "backup", func() Now {
		if calls++; calls == 3 {
			drawn <- struct{}{}
		}
		return Now{Files: 1234, Bytes: 5 << 20, TotalFiles: 2000, TotalBytes: 10 << 20}
	})
	<-drawn
	p.Print("a problem")
	p.Stop()
	if out := b.String(); !strings.Contains(out, "1,234 of 2,000 files") || !strings.Contains(out, "a problem\n") {
		t.Errorf("drawn: %q", out)
	}
}
