package catalog

// State is how far a scan has come.
type State uint8

// The states. Their numbers are part of the journal's format and of the schema.
const (
	// Incomplete: its journal has no end. It is running, or it was interrupted.
	Incomplete State = 1 + iota
	// Partial: it ended, but something could not be read; its problems say what.
	Partial
	// Complete: it ended, and everything was read.
	Complete
)

// String is the state in a user's words.
func (s State) String() string {
	switch s {
	case Incomplete:
		return "incomplete"
	case Partial:
		return "partial"
	case Complete:
		return "complete"
	}
	return "unknown"
}

// Finished tells whether the scan has ended and can be shown.
func (s State) Finished() bool { return s == Partial || s == Complete }

// Source is a tree that is backed up: a directory of a host.
type Source struct {
	ID   ID
	Host string
	Root string // absolute path, bytes
}

// Counts are what a scan did. All sizes are bytes.
type Counts struct {
	Files, Dirs, Others          int64 // names in the tree by kind, unchanged ones included
	New, Changed, Unchanged      int64 // entries, directories included
	Removed                      int64
	Bytes                        int64 // apparent size of all regular files in the tree
	BytesRead                    int64 // from the source
	BytesNew                     int64 // plaintext that no chunk had yet
	BytesStored                  int64 // put into the store: packs
	Objects                      int64 // put into the store: packs and journal
	Problems                     int64 // paths that could not be read, or kept changing
	EntriesOpened, EntriesClosed int64 // rows
}

// Scan is one backup run of one source.
type Scan struct {
	Number   int64
	Source   Source
	Started  int64 // ns since 1970
	Finished int64 // ns since 1970; 0 while it is incomplete
	State    State
	Tags     []string
	Program  string // "bus3 1.2.3" of the writer
	Counts   Counts

	// Parts is how many journal objects of the scan the catalog has applied, and Digest that of the last of them.
	Parts  int64
	Digest Hash
}

// Problem is something of the source that a scan could not back up, or not soundly.
type Problem struct {
	Path    string // absolute path on the host, bytes
	Message string // "open: permission denied"
}
