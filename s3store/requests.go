package s3store

import (
	"fmt"
	"sync/atomic"
)

// Verb is a kind of request.
type Verb uint8

// The verbs. A page of a listing is one LIST.
const (
	PUT Verb = iota
	GET
	HEAD
	LIST
	DELETE
	verbs
)

// String is the name of the verb, as HTTP has it; LIST excepted.
func (v Verb) String() string {
	return [verbs]string{"PUT", "GET", "HEAD", "LIST", "DELETE"}[v]
}

// Requests counts what was asked of a store, attempts that failed included, and the bytes of objects that moved. The
// zero value is ready; it may be shared by stores, and used by many goroutines at once. A nil one counts nothing.
type Requests struct {
	count, bytes [verbs]atomic.Int64
}

// Count is the number of requests with verb v.
func (r *Requests) Count(v Verb) int64 {
	if r == nil {
		return 0
	}
	return r.count[v].Load()
}

// Bytes is the number of bytes that PUTs sent or GETs received; of failed attempts, those until they failed.
func (r *Requests) Bytes(v Verb) int64 {
	if r == nil {
		return 0
	}
	return r.bytes[v].Load()
}

// Total is the number of requests of all verbs.
func (r *Requests) Total() (n int64) {
	for v := range verbs {
		n += r.Count(v)
	}
	return n
}

// String lists the counts, for people.
func (r *Requests) String() string {
	return fmt.Sprintf("%d PUT (%d bytes), %d GET (%d bytes), %d HEAD, %d LIST, %d DELETE", r.Count(PUT), r.Bytes(PUT),
		r.Count(GET), r.Bytes(GET), r.Count(HEAD), r.Count(LIST), r.Count(DELETE))
}

func (r *Requests) add(v Verb) {
	if r != nil {
		r.count[v].Add(1)
	}
}

func (r *Requests) move(v Verb, n int) {
	if r != nil {
		r.bytes[v].Add(int64(n))
	}
}
