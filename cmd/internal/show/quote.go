// Package show puts things before people's eyes: names, sizes, rates, tables and progress.
package show

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Name makes a name or path fit for a terminal: as it is if it has nothing but printable characters, else in the
// shell's $'…' quoting, so that nothing in it can move the cursor, hide or reorder text, and so that bash reads back
// the very bytes.
func Name(name string) string {
	if plain(name) {
		return name
	}
	var b strings.Builder
	b.Grow(len(name) + 16)
	b.WriteString("$'")
	for len(name) > 0 {
		r, n := utf8.DecodeRuneInString(name)
		if (r == utf8.RuneError && n == 1) || !unicode.IsPrint(r) {
			for i := range n {
				escapeByte(&b, name[i])
			}
		} else {
			if r == '\'' || r == '\\' {
				b.WriteByte('\\')
			}
			b.WriteRune(r)
		}
		name = name[n:]
	}
	b.WriteByte('\'')
	return b.String()
}

// plain tells whether a name can be shown as it is and be taken for nothing else.
func plain(name string) bool {
	if name == "" || name[0] == ' ' || name[len(name)-1] == ' ' || strings.HasPrefix(name, "$'") || !utf8.ValidString(name) {
		return false
	}
	for _, r := range name {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

// escapeByte writes c as bash reads it within $'…'. Octal escapes have three digits always, so that digits behind them
// are not taken in.
func escapeByte(b *strings.Builder, c byte) {
	switch c {
	case '\n':
		b.WriteString(`\n`)
	case '\t':
		b.WriteString(`\t`)
	case '\r':
		b.WriteString(`\r`)
	default:
		b.Write([]byte{'\\', '0' + c>>6, '0' + c>>3&7, '0' + c&7})
	}
}

// Line makes any text fit for one line of a terminal: what is not printable is replaced. For messages that hold
// names which are not known one by one.
func Line(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		if r == '\t' {
			return ' '
		}
		return '\uFFFD'
	}, text)
}
