package backup

import (
	"github.com/bus3/bus3/backup/source"
	"github.com/bus3/bus3/catalog"
)

// job is one name for which there is something to write: a row is opened for it, or closed, or both.
type job struct {
	dir  *source.Dir  // the directory that the name is in; for the root of the tree, the root
	stat *source.Stat // as it was listed
	in   catalog.ID   // the identity of the directory, 0 for the root
	ino  catalog.ID   // its own identity; 0: a new one

	closes catalog.ID     // the row that this one takes the place of: of this name, or of the place it was moved from
	old    *catalog.Entry // that row, of this name
	keep   *catalog.Entry // has the file's data as they are now, so that it need not be read
	made   *result        // for directories: their attributes, read before their names were passed on

	link    *link // a file with several names
	retried bool  // it was kept for later once
	leads   bool  // the first of them: the others take over what is found here

	close   []catalog.ID  // instead of a name: rows to close
	barrier chan struct{} // instead of a name: closed when all before it has been assembled
	end     bool          // instead of a name: there is nothing more
	whole   bool          // the batch must not end between this job and the next
}

// reads tells whether the job is to read a file's data.
func (j *job) reads() bool {
	return j.stat != nil && j.stat.Kind == catalog.File && j.keep == nil && (j.link == nil || j.leads) && j.made == nil
}

// path is the absolute path of the name.
func (j *job) path() string {
	if j.stat.Name == "" {
		return j.dir.Path()
	}
	return j.dir.PathOf(j.stat.Name)
}

// link is a file with several names, during one run. The bundler makes it, the assembler fills it in when it comes to the first
// name, and finds it filled in when it comes to the others.
type link struct {
	left  uint32 // names still to come
	entry *catalog.Entry
}

// result is what reading a name brought.
type result struct {
	stat     source.Stat // of the state that was read
	target   string
	xattrs   *value
	owner    *value
	flags    catalog.Flag
	problem  string // "": none
	vanished bool
	again    bool // it has grown out of a parcel: to be read later, by itself

	first, last int // its chunks in the parcel: [first, last)
}

// found is a chunk of plaintext as a reader found it.
type found struct {
	hash   catalog.Hash
	file   int64 // offset in the file
	at     int   // offset in the data of the parcel or block
	length int
	known  catalog.ID // a chunk of the catalog with that hash, 0 if there was none
}

// block is plaintext and the chunks in it, one after the other.
type block struct {
	data    []byte
	chunks  []found
	restart bool // the file has changed: what was read of it until now does not count
}

// parcel is a number of jobs that are read in one go: many small ones, or a large file.
type parcel struct {
	jobs    []job
	results []result
	block   block
	stream  chan *block   // of a large file: its data; closed at the end
	ready   chan struct{} // closed when the results are there
}
