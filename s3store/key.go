package s3store

import (
	"fmt"
	"strings"
)

// maxKey is the length of the longest key in bytes: S3 allows 1024 with the prefix.
const maxKey = 512

// CheckKey tells what makes key impossible, if anything, as ErrKey. A key is names joined by "/". A name has 1 to 200
// bytes out of a-z, 0-9, "_", "-" and "."; it does not begin with a dot.
func CheckKey(key string) error {
	if key == "" || len(key) > maxKey {
		return fmt.Errorf("%w: it has %d bytes", ErrKey, len(key))
	}
	for name := range strings.SplitSeq(key, "/") {
		if name == "" || len(name) > 200 || name[0] == '.' {
			return fmt.Errorf("%w: %q", ErrKey, key)
		}
	}
	return checkBytes(key)
}

// checkPrefix is CheckKey for what keys begin with: names may be cut off or missing.
func checkPrefix(prefix string) error {
	if len(prefix) > maxKey || strings.HasPrefix(prefix, "/") || strings.HasPrefix(prefix, ".") ||
		strings.Contains(prefix, "//") || strings.Contains(prefix, "/.") {
		return fmt.Errorf("%w: %q", ErrKey, prefix)
	}
	return checkBytes(prefix)
}

func checkBytes(key string) error {
	for i := range len(key) {
		switch c := key[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '/', c == '.', c == '_', c == '-':
		default:
			return fmt.Errorf("%w: %q", ErrKey, key)
		}
	}
	return nil
}
