package exclude

import (
	"errors"
	"strings"
	"unicode/utf8"
)

var (
	errClass     = errors.New("a [ has no ], or an unknown class in it")
	errBackslash = errors.New("a backslash at the end escapes nothing")
)

// parseLine translates a line of a .gitignore file. any is false if the line holds no pattern.
func parseLine(line string) (r rule, any bool, err error) {
	if strings.HasPrefix(line, "#") {
		return rule{}, false, nil
	}
	line = unpadded(line)
	if strings.HasPrefix(line, "!") {
		r.include = true
		line = line[1:]
	}
	if strings.HasSuffix(line, "/") {
		r.dirs = true
		line = line[:len(line)-1]
	}
	if line == "" {
		return rule{}, false, nil
	}
	r.anchored = strings.Contains(line, "/")
	line = strings.TrimPrefix(line, "/")
	if !strings.ContainsAny(line, `*?[\`) {
		r.glob, r.literal = wide(line), true
		return r, true, nil
	}
	glob, err := translate(line)
	r.glob = string(glob)
	return r, err == nil, err
}

// unpadded removes the spaces at the end that no backslash protects.
func unpadded(line string) string {
	end := 0
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '\\' && i+1 < len(line):
			i++
			end = i + 1
		case line[i] != ' ':
			end = i + 1
		}
	}
	return line[:end]
}

// translate writes a pattern as git understands it in the language of doublestar.
func translate(pattern string) ([]byte, error) {
	var out []byte
	for i := 0; i < len(pattern); {
		switch c := pattern[i]; c {
		case '*':
			next := i
			for next < len(pattern) && pattern[next] == '*' {
				next++
			}
			out = append(out, stars(pattern, i, next)...)
			i = next
		case '?':
			out = append(out, '?')
			i++
		case '[':
			set, next, err := class(pattern, i)
			if err != nil {
				return nil, err
			}
			out = set.append(out)
			i = next
		case '\\':
			if i+1 == len(pattern) {
				return nil, errBackslash
			}
			out = appendLiteral(out, pattern[i+1])
			i += 2
		default:
			out = appendLiteral(out, c)
			i++
		}
	}
	return out, nil
}

// stars is what the stars from start to end mean: two or more that fill the space between slashes are directories, all
// others stay within one name. What follows "/**" at the end must be something: "a/**" is not a itself.
func stars(pattern string, start, end int) string {
	rest := pattern[end:]
	alone := start == 0 || pattern[start-1] == '/'
	switch {
	case end-start < 2 || !alone:
		return "*"
	case rest == "" && start == 0:
		return "**"
	case rest == "", strings.HasPrefix(rest, `\/`): // so it is with git: an escaped slash wants a name before it
		return "**/*"
	case rest[0] == '/':
		return "**"
	}
	return "*"
}

func appendLiteral(out []byte, c byte) []byte {
	if c < 0x80 && strings.IndexByte(`*?[]{}\,!^-`, c) >= 0 {
		out = append(out, '\\')
	}
	return appendByte(out, c)
}

func appendByte(out []byte, c byte) []byte { return utf8.AppendRune(out, rune(c)) }
