// Package s3store keeps objects by key: in a bucket of an S3 server, or in a directory.
//
// Both stores keep one contract, that of Store, and pass one conformance suite (package storetest). An object exists
// complete or not at all, and once Put or PutNew has returned without an error it survives a crash of the server. The
// store knows nothing about what it keeps; whoever reads must verify what it got.
package s3store

import (
	"context"
	"fmt"
	"net/url"
	"time"
)

// Object is what a listing says about an object.
type Object struct {
	Key  string
	Size int64 // bytes
}

// Store is what both stores offer. Consumers should declare the few methods that they need. All methods may be called
// by many goroutines at once. Keys are those that CheckKey accepts; others are refused with ErrKey.
type Store interface {
	// Put stores body under key and replaces what was there. It does not use body once it has returned.
	Put(ctx context.Context, key string, body []byte) error
	// PutNew stores body under key unless there is an object already: then it returns ErrExists and leaves that as it
	// was. Among callers at the same moment one wins, provided that the server keeps what ProbeConditional asks for.
	// When an attempt was cut off before its answer came, and the next one finds an object with the very same bytes,
	// that one counts as stored.
	PutNew(ctx context.Context, key string, body []byte) error
	// Get returns a whole object, ErrNotExist if there is none, ErrTooLarge if it has more than limit bytes.
	Get(ctx context.Context, key string, limit int64) ([]byte, error)
	// GetRange fills dst with the bytes of the object from off on and returns how many there were; with
	// io.ErrUnexpectedEOF if the object ended before dst was full, also if it ended before off. ErrNotExist if there is
	// no such object. With an empty dst it does nothing.
	GetRange(ctx context.Context, key string, off int64, dst []byte) (int, error)
	// List calls fn for the objects whose keys begin with prefix and are greater than after, in the byte order of
	// their keys. An error of fn ends the listing and is returned as it is. What is stored or deleted meanwhile may
	// be listed or not.
	List(ctx context.Context, prefix, after string, fn func(Object) error) error
	// Stat tells the size of an object, or ErrNotExist.
	Stat(ctx context.Context, key string) (Object, error)
	// Delete removes an object. That there is none is no error.
	Delete(ctx context.Context, key string) error
	// ProbeConditional tries whether PutNew holds what it says: ErrUnconditional if the server overwrites instead. It
	// stores a small object below "probe/" and deletes it.
	ProbeConditional(ctx context.Context) error
	// String is the URL of the store, without secrets.
	String() string
}

// Options are the settings of a store. The zero value works.
type Options struct {
	UploadLimit   int64 // bytes per second of all uploads together; 0 is no limit
	DownloadLimit int64 // bytes per second of all downloads together; 0 is no limit

	Requests *Requests // counts what is asked of the store, if not nil

	// ReadDeadline is for how long reads are tried while no byte comes, 0 for DefaultReadDeadline. It is what a reader
	// of the mount waits for when the store is away. Only S3.
	ReadDeadline time.Duration
	// WriteDeadline is the same for everything else, 0 for DefaultWriteDeadline. Only S3.
	WriteDeadline time.Duration
}

const (
	// DefaultReadDeadline is short of what makes people think that a mount hangs for good.
	DefaultReadDeadline = 30 * time.Second
	// DefaultWriteDeadline outlasts the restart of a server.
	DefaultWriteDeadline = 90 * time.Second
)

// Open opens the store of a URL, s3://bucket[/prefix][?endpoint=URL&region=NAME] or file:///path. It sends no request:
// a bucket that does not exist is noticed by the first method that needs it. Credentials, profiles and CA bundles of
// S3 are found the way of the AWS SDK.
func Open(ctx context.Context, rawURL string, o Options) (Store, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("open store: %w", withoutSecrets(err))
	}
	switch u.Scheme {
	case "s3":
		return openS3(ctx, u, o)
	case "file":
		return openDir(u, o)
	}
	return nil, fmt.Errorf("open store %q: a store is s3://bucket/prefix?endpoint=… or file:///path", u.Redacted())
}
