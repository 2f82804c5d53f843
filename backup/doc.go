// Package backup is the write path: it makes a scan of a directory tree.
//
//	walk → compare → bundle → read, cut and hash → assemble → compress and encrypt → pack → upload → journal → apply
//
// Each stage is one function in a file of its own; the stages run at the same time and are joined by bounded channels,
// so that memory is bounded too (budget.go). What passes through them keeps its order: the jobs of a directory follow
// each other in the order of their names, so its files lie together in packs, and a directory's row comes before those
// of what is in it. Work that can be done side by side (listing, reading, compressing, uploading) is started in that
// order and waited for in that order.
//
// # Order of durability
//
// Rows travel behind the data that they need: a batch holds the rows of whole packs, and is written to the journal only
// when the store has acknowledged these packs and all before them, and applied to the catalog only when it is in the
// journal. A run that dies leaves a scan that is incomplete and rows that are all true; the next run goes on from them.
//
// # Identities
//
// A thing that is where it was (same name, same directory, same device and inode) keeps its identity, and so does one
// that is found elsewhere by device and inode. What is below a moved directory is found under the directory's identity,
// so moving it costs two rows. An identity is claimed by one directory of a scan at the most. What was removed is known
// only when all has been seen, so removals and moves of directories are written last (removed.go).
package backup
