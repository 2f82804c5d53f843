package qr

import (
	"bytes"
	"encoding/xml"
	"errors"
	"image/png"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const sheet = "bus3 s3://bucket/prefix?endpoint=https://host:9000 AGE-SECRET-KEY-1QQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQQ"

func drawn(t *testing.T) *Code {
	t.Helper()
	c, err := New(sheet)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// plane is a drawing of no modules, of the size of c.
func plane(c *Code) [][]bool {
	p := make([][]bool, c.Modules())
	for i := range p {
		p[i] = make([]bool, c.Modules())
	}
	return p
}

func TestItIsAQRCode(t *testing.T) {
	c := drawn(t)
	n := c.Modules()
	if (n-8-17)%4 != 0 {
		t.Fatalf("%d modules", n)
	}
	finder := []string{"#######", "#.....#", "#.###.#", "#.###.#", "#.###.#", "#.....#", "#######"}
	for _, corner := range [][2]int{{4, 4}, {n - 11, 4}, {4, n - 11}} {
		for y, row := range finder {
			for x := range row {
				if c.dark[corner[1]+y][corner[0]+x] != (row[x] == '#') {
					t.Errorf("no finder pattern at %v", corner)
				}
			}
		}
	}
}

func TestPNGIsTheDrawing(t *testing.T) {
	c := drawn(t)
	data, err := c.PNG(3)
	if err != nil {
		t.Fatal(err)
	}
	img, err := png.Decode(bytes.NewReader(data))
	if err != nil || img.Bounds().Dx() != 3*c.Modules() {
		t.Fatalf("%v, %v", img.Bounds(), err)
	}
	got := plane(c)
	for y := range got {
		for x := range got {
			r, _, _, _ := img.At(3*x+1, 3*y+1).RGBA()
			got[y][x] = r < 0x8000
		}
	}
	if diff := cmp.Diff(c.dark, got); diff != "" {
		t.Error(diff)
	}
}

func TestSVGIsTheDrawing(t *testing.T) {
	c := drawn(t)
	var doc struct {
		Path []struct {
			D string `xml:"d,attr"`
		} `xml:"path"`
	}
	if err := xml.Unmarshal(c.SVG(), &doc); err != nil || len(doc.Path) != 2 {
		t.Fatalf("%d paths, %v", len(doc.Path), err)
	}
	got := plane(c)
	for _, m := range regexp.MustCompile(`M(\d+) (\d+)h(\d+)v1h-(\d+)z`).FindAllStringSubmatch(doc.Path[1].D, -1) {
		var n [4]int
		for i := range n {
			var err error
			if n[i], err = strconv.Atoi(m[i+1]); err != nil {
				t.Fatal(err)
			}
		}
		if n[2] != n[3] {
			t.Errorf("a run goes %d and comes back %d", n[2], n[3])
		}
		for x := n[0]; x < n[0]+n[2]; x++ {
			got[n[1]][x] = true
		}
	}
	if diff := cmp.Diff(c.dark, got); diff != "" {
		t.Error(diff)
	}
}

func TestTerminalShowsTheDrawing(t *testing.T) {
	c := drawn(t)
	got := plane(c)
	for i, line := range strings.Split(strings.TrimSuffix(c.Terminal(), "\n"), "\n") {
		line = strings.TrimSuffix(strings.TrimPrefix(line, blackOnWhite), reset)
		for x, r := range []rune(line) {
			got[2*i][x] = r == '█' || r == '▀'
			if 2*i+1 < c.Modules() {
				got[2*i+1][x] = r == '█' || r == '▄'
			}
		}
	}
	if diff := cmp.Diff(c.dark, got); diff != "" {
		t.Error(diff)
	}
}

func TestLongTextIsRefused(t *testing.T) {
	if _, err := New(strings.Repeat("x", 3000)); !errors.Is(err, ErrTooLong) {
		t.Error(err)
	}
}
