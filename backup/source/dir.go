package source

// Dir is a directory of a tree: a name in another directory. It is an address, not an open file; it costs nothing to keep,
// never changes, and may be used concurrently.
type Dir struct {
	parent *Dir   // nil for the root
	name   string // of the root: its absolute path
}

// Child is the directory of that name in d. Nothing is looked at.
func (d *Dir) Child(name string) *Dir { return &Dir{parent: d, name: name} }

// Path is the absolute path of d. It can be longer than PATH_MAX.
func (d *Dir) Path() string { return string(d.appendPath(nil)) }

// PathOf is the absolute path of a name in d.
func (d *Dir) PathOf(name string) string { return string(appendName(d.appendPath(nil), name)) }

// Relative is the path of d below the root of the tree, "" for the root itself.
func (d *Dir) Relative() string { return string(d.appendRelative(nil)) }

func (d *Dir) appendPath(b []byte) []byte {
	if d.parent == nil {
		return append(b, d.name...)
	}
	return appendName(d.parent.appendPath(b), d.name)
}

func (d *Dir) appendRelative(b []byte) []byte {
	if d.parent == nil {
		return b
	}
	if b = d.parent.appendRelative(b); len(b) > 0 {
		b = append(b, '/')
	}
	return append(b, d.name...)
}

func appendName(b []byte, name string) []byte {
	if len(b) > 0 && b[len(b)-1] != '/' {
		b = append(b, '/')
	}
	return append(b, name...)
}
