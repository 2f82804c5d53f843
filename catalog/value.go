package catalog

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
)

// Xattr is one extended attribute. POSIX ACLs are the attributes system.posix_acl_access and …_default, in the form of
// the kernel's xattr interface.
type Xattr struct {
	Name  string // with its namespace: "user.comment"
	Value []byte
}

// HashValue is SHA-256 of a value's bytes: what values are found and told apart by.
func HashValue(b []byte) Hash { return sha256.Sum256(b) }

// EncodeXattrs is the canonical form of a set of extended attributes: sorted by name, each as name and value with
// their lengths (unsigned LEB128) before them, after one byte 'x'. An empty set is nil.
func EncodeXattrs(set []Xattr) []byte {
	if len(set) == 0 {
		return nil
	}
	sorted := slices.Clone(set)
	slices.SortFunc(sorted, func(a, b Xattr) int { return cmp.Compare(a.Name, b.Name) })
	out := []byte{'x'}
	for _, x := range sorted {
		out = appendBytes(appendBytes(out, []byte(x.Name)), x.Value)
	}
	return out
}

// DecodeXattrs reads what EncodeXattrs wrote; ErrInvalid if it is anything else. Values alias b.
func DecodeXattrs(b []byte) ([]Xattr, error) {
	if len(b) == 0 || b[0] != 'x' {
		return nil, Invalidf("%d bytes are no extended attributes", len(b))
	}
	var set []Xattr
	for b = b[1:]; len(b) > 0; {
		name, rest, ok1 := cutBytes(b)
		value, rest, ok2 := cutBytes(rest)
		if !ok1 || !ok2 || len(name) == 0 || len(name) > 255 || slices.Contains(name, 0) {
			return nil, Invalidf("the extended attributes are damaged at number %d", len(set))
		}
		if len(set) > 0 && set[len(set)-1].Name >= string(name) {
			return nil, Invalidf("the extended attribute %q is out of order", name)
		}
		set = append(set, Xattr{Name: string(name), Value: value})
		b = rest
	}
	if len(set) == 0 {
		return nil, Invalidf("the set of extended attributes is empty")
	}
	return set, nil
}

// EncodeOwner is the form in which the names of a user and a group are kept: byte 'o', then both with their lengths
// before them. Two empty names are nil.
func EncodeOwner(user, group string) []byte {
	if user == "" && group == "" {
		return nil
	}
	return appendBytes(appendBytes([]byte{'o'}, []byte(user)), []byte(group))
}

// DecodeOwner reads what EncodeOwner wrote; ErrInvalid if it is anything else.
func DecodeOwner(b []byte) (user, group string, err error) {
	if len(b) == 0 || b[0] != 'o' {
		return "", "", Invalidf("%d bytes are no owner", len(b))
	}
	u, rest, ok1 := cutBytes(b[1:])
	g, rest, ok2 := cutBytes(rest)
	if !ok1 || !ok2 || len(rest) != 0 || strings.ContainsRune(string(u)+string(g), 0) {
		return "", "", Invalidf("the names of an owner are damaged")
	}
	return string(u), string(g), nil
}

func appendBytes(out, b []byte) []byte {
	return append(binary.AppendUvarint(out, uint64(len(b))), b...)
}

func cutBytes(b []byte) (head, rest []byte, ok bool) {
	n, used := binary.Uvarint(b)
	if used <= 0 || n > uint64(len(b)-used) {
		return nil, nil, false
	}
	return b[used : used+int(n) : used+int(n)], b[used+int(n):], true
}
