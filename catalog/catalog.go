// Package catalog says what bus3 knows: the types that describe scans, entries and where their bytes are, the batches
// in which runs tell what they learned, and the contracts that every engine keeps.
//
// # History is an interval
//
// An Entry says "this name in this directory was this, from scan First until scan Last". What did not change costs no
// row. Directories and files have identities (Entry.Ino) that outlive renames, and entries name their directory by its
// identity; so renaming a directory closes one row and opens one, whatever lies below it. The rows of a source that
// are visible in scan n are those with First <= n <= Last. A source has one root entry at a time, with Dir 0.
//
// # A batch is the only way in
//
// A run claims its scan's number by storing part 0 of the scan's journal, and from then on tells what it learned as
// batches: stored in the journal first, then applied to the catalog. Apply is idempotent, and all IDs in a batch are
// final; so a running backup, the recovery from a crash, the rebuild of a lost catalog and the upkeep of a replica are
// the same thing. The order of durability is: pack acknowledged by the store, batch in the journal, batch applied.
// Numbers are dense: who claims number n has applied the beginnings of all scans below n.
//
// # What readers may rely on
//
// A finished scan never changes. An incomplete scan is one that runs, or that was interrupted: the next scan of its
// source goes on from its rows. References between rows (entry to chunk, chunk to segment, segment to pack) hold for
// finished scans once everything up to them is applied; while a catalog catches up they may dangle.
// Packages sqlite and postgres are the engines; package catalogtest is their conformance suite, and its interface
// Catalog lists all that they offer. Consumers declare the few methods that they need.
package catalog
