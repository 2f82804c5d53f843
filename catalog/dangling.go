package catalog

import "fmt"

// Thing is a kind of row that others refer to, or that refers to others.
type Thing uint8

// The things that IDs name.
const (
	EntryThing Thing = 1 + iota
	DirectoryThing
	ChunkThing
	ContentThing
	ValueThing
	SegmentThing
	PackThing
	SourceThing
)

// String is the thing in a user's words.
func (t Thing) String() string {
	switch t {
	case EntryThing:
		return "entry"
	case DirectoryThing:
		return "directory"
	case ChunkThing:
		return "chunk"
	case ContentThing:
		return "content"
	case ValueThing:
		return "value"
	case SegmentThing:
		return "segment"
	case PackThing:
		return "pack"
	case SourceThing:
		return "source"
	}
	return fmt.Sprintf("thing %d", uint8(t))
}

// Dangling is a reference that leads nowhere: From exists, To does not.
type Dangling struct {
	FromKind Thing
	From     ID
	ToKind   Thing
	To       ID
}

// String is "entry 3.17 refers to chunk 2.5, which does not exist".
func (d Dangling) String() string {
	return fmt.Sprintf("%s %s refers to %s %s, which does not exist", d.FromKind, d.From, d.ToKind, d.To)
}
