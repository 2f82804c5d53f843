// Package qr draws a QR code (ISO/IEC 18004) on a terminal, as PNG and as SVG.
package qr

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"github.com/skip2/go-qrcode"
)

// ErrTooLong: a QR code holds about 2,300 bytes with the error correction that is used here.
var ErrTooLong = errors.New("too long for a QR code")

// Code is a drawing of one text.
type Code struct {
	code *qrcode.QRCode
	dark [][]bool // rows of modules, with the light margin of four around
}

// New draws text, with error correction for about 15 % of it: paper gets folds and stains.
func New(text string) (*Code, error) {
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return nil, ErrTooLong // the only fault there is; its message might quote the text, which may be a secret
	}
	return &Code{code: code, dark: code.Bitmap()}, nil
}

// Modules is the width of the drawing in modules, margin included.
func (c *Code) Modules() int { return len(c.dark) }

// PNG is the drawing with squares of scale pixels.
func (c *Code) PNG(scale int) ([]byte, error) {
	png, err := c.code.PNG(-max(scale, 1))
	if err != nil {
		return nil, fmt.Errorf("draw the QR code: %w", err)
	}
	return png, nil
}

// SVG is the drawing with one unit for each module, as black runs on white.
func (c *Code) SVG() []byte {
	var b bytes.Buffer
	n := c.Modules()
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" shape-rendering="crispEdges">`, n, n)
	fmt.Fprintf(&b, `<path fill="#fff" d="M0 0h%dv%dH0z"/><path d="`, n, n)
	for y, row := range c.dark {
		for x := 0; x < n; x++ {
			start := x
			for x < n && row[x] {
				x++
			}
			if x > start {
				fmt.Fprintf(&b, "M%d %dh%dv1h-%dz", start, y, x-start, x-start)
			}
		}
	}
	b.WriteString("\"/></svg>\n")
	return b.Bytes()
}

const (
	blackOnWhite = "\x1b[30;107m" // whatever the colours of the terminal are
	reset        = "\x1b[0m"
)

// Terminal is the drawing for a terminal: a character for two modules, one above the other, in lines of their own.
func (c *Code) Terminal() string {
	var b strings.Builder
	for y := 0; y < c.Modules(); y += 2 {
		b.WriteString(blackOnWhite)
		for x := range c.dark[y] {
			lower := y+1 < c.Modules() && c.dark[y+1][x]
			b.WriteString(halves(c.dark[y][x], lower))
		}
		b.WriteString(reset + "\n")
	}
	return b.String()
}

func halves(upper, lower bool) string {
	switch {
	case upper && lower:
		return "█"
	case upper:
		return "▀"
	case lower:
		return "▄"
	}
	return " "
}
