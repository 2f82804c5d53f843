package s3store

import (
	"errors"
	"net/url"
)

var (
	// ErrNotExist: there is no object with that key.
	ErrNotExist = errors.New("no such object")
	// ErrExists: there is an object with that key already.
	ErrExists = errors.New("the object exists already")
	// ErrUnavailable: given up after retries, or the deadline passed. It wraps the last cause.
	ErrUnavailable = errors.New("the store is not available")
	// ErrUnconditional: the server replaces an object that it was told not to replace.
	ErrUnconditional = errors.New("the server ignores If-None-Match, so that two backups could overwrite each other's records")
	// ErrTooLarge: the object has more bytes than the caller allows.
	ErrTooLarge = errors.New("the object is too large")
	// ErrKey: not a key that a store may have.
	ErrKey = errors.New("invalid key")
	// ErrNoBucket: the bucket does not exist. Stores do not create buckets.
	ErrNoBucket = errors.New("no such bucket; create it first")
	// ErrDenied: the credentials are wrong, or do not suffice for what was asked.
	ErrDenied = errors.New("access denied")
	// ErrNoSpace: the disk, or the quota, is full.
	ErrNoSpace = errors.New("no space left in the store")
)

// withoutSecrets leaves the URL out of an error of net/url: it may hold a password.
func withoutSecrets(err error) error {
	var e *url.Error
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}
