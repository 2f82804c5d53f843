package config

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
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
	var mismatch *yaml.TypeError
	if errors.As(err, &mismatch) && mismatch.DstType != nil {
		return fmt.Errorf("%s: %sthe value must be %s", name, at, wanted(mismatch.DstType.Kind()))
	}
	var shape *yaml.UnexpectedNodeTypeError
	if errors.As(err, &shape) {
		kind := reflect.Struct
		if shape.Expected == ast.SequenceType {
			kind = reflect.Slice
		}
		return fmt.Errorf("%s: %sthe value must be %s", name, at, wanted(kind))
	}
	return fmt.Errorf("%s: %s%s", name, at, located.GetMessage())
}

// wanted is a kind of value in a user's words.
func wanted(k reflect.Kind) string {
	switch k {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Slice:
		return "a list: [one, two]"
	case reflect.String:
		return "a text"
	}
	return "settings of their own, further indented"
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
