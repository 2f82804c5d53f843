package config

import (
	"fmt"
	"math"

	"github.com/dustin/go-humanize"
	"github.com/goccy/go-yaml/ast"
)

// Size is a number of bytes that people write as "96 MiB", "10G" or "1048576". It is a flag and a setting; Given tells
// 0 from nothing said.
type Size struct {
	Bytes int64
	Given bool
}

// UnmarshalText reads a size.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := ParseSize(string(text))
	if err != nil {
		return err
	}
	*s = Size{Bytes: n, Given: true}
	return nil
}

// UnmarshalYAML reads a size from a configuration; the error names the line.
func (s *Size) UnmarshalYAML(node ast.Node) error {
	token := node.GetToken()
	if err := s.UnmarshalText([]byte(token.Value)); err != nil {
		return fmt.Errorf("line %d: %w", token.Position.Line, err)
	}
	return nil
}

// Or is s, or def if nothing was said.
func (s Size) Or(def Size) Size {
	if s.Given {
		return s
	}
	return def
}

// ParseSize reads a size in bytes. K, M, G and T are powers of 1024, with or without "iB"; KB, MB … are powers of 1000.
func ParseSize(text string) (int64, error) {
	u, err := humanize.ParseBytes(binaryUnit(text))
	if err != nil || u > math.MaxInt64 {
		return 0, fmt.Errorf("%q is no size; write 96MiB, 10G or a number of bytes", text)
	}
	return int64(u), nil
}

// binaryUnit makes "10G" "10GiB", which the library would take for powers of 1000.
func binaryUnit(text string) string {
	if n := len(text); n > 1 {
		switch text[n-1] {
		case 'K', 'k', 'M', 'm', 'G', 'g', 'T', 't':
			return text + "iB"
		}
	}
	return text
}
