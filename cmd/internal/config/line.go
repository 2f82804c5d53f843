package config

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/goccy/go-yaml"
)

// describe says in one line what the YAML library found, and where.
func describe(name string, err error) error {
	var located yaml.Error
	if !errors.As(err, &located) {
		return fmt.Errorf("%s: %w", name, err)
	}
	at := ""
	if t := located.GetToken(); t != nil && t.Position != nil {
		at = fmt.Sprintf("line %d: ", t.Position.Line)
	}
	var unknown *yaml.UnknownFieldError
	if errors.As(err, &unknown) && unknown.Token != nil {
		return fmt.Errorf("%s: %s%q is no setting of bus3; bus3.example.yaml lists them all", name, at, unknown.Token.Value)
	}
	return fmt.Errorf("%s: %s%s", name, at, located.GetMessage())
}

// lineOf is "line N: " of a top-level key, or "" should it not be found.
func lineOf(data []byte, key string) string {
	for i, line := range bytes.Split(data, []byte("\n")) {
		if bytes.HasPrefix(line, []byte(key)) && bytes.HasPrefix(bytes.TrimLeft(line[len(key):], " \t"), []byte(":")) {
			return fmt.Sprintf("line %d: ", i+1)
		}
	}
	return ""
}
