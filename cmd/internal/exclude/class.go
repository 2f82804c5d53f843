package exclude

import "strings"

// set is the bytes that a class such as [a-z] fits.
type set [256]bool

// class reads the class that starts at pattern[start], as wildmatch.c of git does. next is behind its end.
func class(pattern string, start int) (s set, next int, err error) {
	i := start + 1
	negated := i < len(pattern) && (pattern[i] == '!' || pattern[i] == '^')
	if negated {
		i++
	}
	last := -1 // the byte before, from which a range can start
	for first := true; ; first = false {
		if i >= len(pattern) {
			return s, 0, errClass
		}
		c := pattern[i]
		switch {
		case c == ']' && !first:
			if negated {
				s.invert()
			}
			s['/'] = false
			return s, i + 1, nil
		case c == '\\':
			if i+1 >= len(pattern) {
				return s, 0, errClass
			}
			last = int(pattern[i+1])
			s[last] = true
			i += 2
		case c == '-' && last > 0 && i+1 < len(pattern) && pattern[i+1] != ']':
			i++
			if pattern[i] == '\\' {
				i++
			}
			if i >= len(pattern) {
				return s, 0, errClass
			}
			for b := last; b <= int(pattern[i]); b++ {
				s[b] = true
			}
			last = -1
			i++
		case c == '[' && i+1 < len(pattern) && pattern[i+1] == ':':
			used, err := s.addNamed(pattern[i+2:])
			if err != nil {
				return s, 0, err
			}
			if used > 0 {
				last, i = -1, i+2+used
				continue
			}
			s['['] = true
			last = '['
			i++
		default:
			s[c] = true
			last = int(c)
			i++
		}
	}
}

// addNamed adds the class "name:]" that text begins with, and tells how long that is. It is 0 if this is no such class but
// single characters.
func (s *set) addNamed(text string) (used int, err error) {
	end := strings.IndexByte(text, ']')
	switch {
	case end < 0:
		return 0, errClass
	case end == 0 || text[end-1] != ':':
		return 0, nil
	}
	is, known := named(text[:end-1])
	if !known {
		return 0, errClass
	}
	for c := range s {
		if is(byte(c)) {
			s[c] = true
		}
	}
	return end + 1, nil
}

// named is a class of POSIX, in the C locale.
func named(name string) (is func(byte) bool, known bool) {
	between := func(c, lo, hi byte) bool { return lo <= c && c <= hi }
	upper := func(c byte) bool { return between(c, 'A', 'Z') }
	lower := func(c byte) bool { return between(c, 'a', 'z') }
	digit := func(c byte) bool { return between(c, '0', '9') }
	switch name {
	case "alnum":
		return func(c byte) bool { return upper(c) || lower(c) || digit(c) }, true
	case "alpha":
		return func(c byte) bool { return upper(c) || lower(c) }, true
	case "blank":
		return func(c byte) bool { return c == ' ' || c == '\t' }, true
	case "cntrl":
		return func(c byte) bool { return c < ' ' || c == 0x7f }, true
	case "digit":
		return digit, true
	case "graph":
		return func(c byte) bool { return between(c, '!', '~') }, true
	case "lower":
		return lower, true
	case "print":
		return func(c byte) bool { return between(c, ' ', '~') }, true
	case "punct":
		return func(c byte) bool { return between(c, '!', '~') && !upper(c) && !lower(c) && !digit(c) }, true
	case "space":
		return func(c byte) bool { return c == ' ' || between(c, '\t', '\r') }, true
	case "upper":
		return upper, true
	case "xdigit":
		return func(c byte) bool { return digit(c) || between(c, 'a', 'f') || between(c, 'A', 'F') }, true
	}
	return nil, false
}

func (s *set) invert() {
	for c := range s {
		s[c] = !s[c]
	}
}

// append writes the set as a class of doublestar. NUL stands in for nothing: it is in no path.
func (s *set) append(out []byte) []byte {
	s[0] = false
	out = append(out, '[')
	empty := true
	for c := 1; c < len(s); c++ {
		if !s[c] {
			continue
		}
		end := c
		for end+1 < len(s) && s[end+1] {
			end++
		}
		out = appendByte(append(out, '\\'), byte(c))
		if end > c {
			out = appendByte(append(out, '-', '\\'), byte(end))
		}
		c, empty = end, false
	}
	if empty {
		out = append(out, 0)
	}
	return append(out, ']')
}
