package catalog

import (
	"fmt"
	"math"
	"strings"
)

// Kind is what an entry is.
type Kind uint8

// The kinds. Their numbers are part of the journal's format and of the schema.
const (
	File Kind = 1 + iota
	Directory
	Symlink
	FIFO
	Socket
	CharDevice
	BlockDevice
)

// String is the kind in a user's words.
func (k Kind) String() string {
	switch k {
	case File:
		return "file"
	case Directory:
		return "directory"
	case Symlink:
		return "symlink"
	case FIFO:
		return "FIFO"
	case Socket:
		return "socket"
	case CharDevice:
		return "character device"
	case BlockDevice:
		return "block device"
	}
	return fmt.Sprintf("kind %d", uint8(k))
}

// Open is the Last of an entry that no scan has closed yet.
const Open int64 = math.MaxInt64

// Flag marks what a reader of an entry must know.
type Flag uint8

const (
	// Inconsistent: the file changed each time it was read. What is kept is what the last attempt read, which may be a mixture.
	Inconsistent Flag = 1 << iota
	// Unreadable: the file's data, or the directory's names, could not be read. Nothing of them is kept; attributes are.
	Unreadable
	// Lost: the journal object that told the data, or the attributes, is gone. What is shown is a stand-in.
	Lost
)

// Entry is one name in one directory, during one interval of scans: from First() until Last.
// It is visible in scan n of its source if First() <= n <= Last.
type Entry struct {
	ID     ID     // its scan is the first in which the entry was so
	Source ID     // whose tree it is in
	Dir    ID     // the identity (Ino) of the directory it is in; 0 for the root of a tree
	Name   string // bytes, as on disk: see CheckName; "" for the root of a tree, and only there
	Last   int64  // the last scan in which it was so, or Open

	// Ino is the identity of what the name refers to. It outlives changes of content and attributes, and renames.
	// Hard links are entries with one Ino. Directories refer to their parents by it.
	Ino   ID
	Kind  Kind
	Flags Flag
	Mode  uint32 // permissions, setuid, setgid, sticky: 07777 at most
	UID   uint32
	GID   uint32
	Owner ID // value: the names that UID and GID had (EncodeOwner); 0: they had none
	Size  int64
	Mtime int64 // ns since 1970, in UTC
	Ctime int64 // ns since 1970, in UTC, of the source
	Nlink uint32
	Rdev  uint64 // devices only, as in stat(2)

	Dev       uint64 // the source's st_dev, to tell a moved file from a new one
	SourceIno uint64 // the source's st_ino

	Target string // symlinks only: 1 to 4095 bytes
	Xattrs ID     // value: extended attributes and ACLs (EncodeXattrs); 0: none

	// Data of a regular file: at most one of the two is set, and neither if the file has no data (Size 0, or one hole).
	Chunk   ID // the whole file is this chunk, at offset 0; what Size goes beyond it is a hole
	Content ID // the file's data are the pieces of this content
}

// First is the first scan in which e was so.
func (e *Entry) First() int64 { return e.ID.Scan() }

// In tells whether e is visible in that scan of its source.
func (e *Entry) In(scan int64) bool { return e.First() <= scan && scan <= e.Last }

// IsRoot tells whether e is the root directory of a tree.
func (e *Entry) IsRoot() bool { return e.Dir == 0 }

// MaxName is the longest name of an entry, in bytes, and MaxTarget the longest target of a symlink.
const (
	MaxName   = 255
	MaxTarget = 4095
)

// CheckName is the one validator of names, for every way in: 1 to 255 bytes, neither "." nor "..", without "/" and NUL.
func CheckName(name string) error {
	switch {
	case name == "":
		return Invalidf("a name is empty")
	case len(name) > MaxName:
		return Invalidf("the name %.40q… has %d bytes, %d are allowed", name, len(name), MaxName)
	case name == "." || name == "..":
		return Invalidf("%q is no name of an entry", name)
	case strings.ContainsAny(name, "/\x00"):
		return Invalidf("the name %q contains a slash or NUL", name)
	}
	return nil
}

// Check tells what makes e impossible, if anything, as ErrInvalid. Every entry passes it on its way into a catalog and
// out of a journal, so that nobody behind needs to doubt its fields.
func (e *Entry) Check() error {
	if !e.ID.Valid() || !e.Source.Valid() || !e.Ino.Valid() {
		return Invalidf("entry %s has source %s and identity %s", e.ID, e.Source, e.Ino)
	}
	if e.IsRoot() {
		if e.Name != "" || e.Kind != Directory {
			return Invalidf("entry %s has no directory, and is %s %q", e.ID, e.Kind, e.Name)
		}
	} else if err := CheckName(e.Name); err != nil {
		return fmt.Errorf("entry %s: %w", e.ID, err)
	} else if !e.Dir.Valid() {
		return Invalidf("entry %s is in directory %s", e.ID, e.Dir)
	}
	switch {
	case e.Kind < File || e.Kind > BlockDevice:
		return Invalidf("entry %s has %s", e.ID, e.Kind)
	case e.Mode&^0o7777 != 0:
		return Invalidf("entry %s has mode %o", e.ID, e.Mode)
	case e.Size < 0:
		return Invalidf("entry %s has size %d", e.ID, e.Size)
	case e.Last < 0:
		return Invalidf("entry %s ends with scan %d", e.ID, e.Last)
	case e.Owner < 0 || e.Xattrs < 0 || e.Chunk < 0 || e.Content < 0:
		return Invalidf("entry %s refers to a negative ID", e.ID)
	case (e.Kind == Symlink) != (e.Target != "") || len(e.Target) > MaxTarget || strings.ContainsRune(e.Target, 0):
		return Invalidf("entry %s, a %s, has a target of %d bytes", e.ID, e.Kind, len(e.Target))
	case e.Kind != File && (e.Chunk != 0 || e.Content != 0), e.Chunk != 0 && e.Content != 0:
		return Invalidf("entry %s, a %s, has chunk %s and content %s", e.ID, e.Kind, e.Chunk, e.Content)
	}
	return nil
}
