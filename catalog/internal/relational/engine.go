// Package relational is the catalog's logic over any engine that speaks SQL: what both engines share, written once.
//
// Statements are written in the words that SQLite and PostgreSQL have in common, with these marks, which engines fill in:
//
//	$1, $2, …    the arguments
//	{a}, {b}, …  the columns of a list of keys (Many, ExecMany); $1, … are then what all keys share
//	{from}       in an ExecMany's UPDATE, {using} in its DELETE: where its keys come from
//	{lock}       at the end of a SELECT: keep the rows until the transaction ends
package relational

import (
	"context"
)

// Query is a SELECT and the shape of its rows: one letter for each column, 'i' for an integer (NULL is 0), 'b' for bytes.
type Query struct {
	SQL   string
	Shape string
	// Order names the column by which Many sorts the rows of one key; the statement itself must sort them so as well.
	Order string
}

// Keys are columns of equal length, each []int64 or [][]byte; row i of them is key i.
type Keys []any

// Reader runs queries. Arguments are int64 or []byte.
type Reader interface {
	// Query calls each for all rows, in order.
	Query(ctx context.Context, q *Query, args []any, each func(*Row) error) error
	// Many runs q for each of the keys, with one round trip, and calls each with the key's position before the row's
	// columns, in the order of the keys.
	Many(ctx context.Context, q *Query, keys Keys, args []any, each func(i int, r *Row) error) error
}

// Tx is a transaction that writes.
type Tx interface {
	Reader
	// Exec runs one statement and returns how many rows it wrote.
	Exec(ctx context.Context, sql string, args ...any) (int64, error)
	// ExecMany runs one statement for each of the keys.
	ExecMany(ctx context.Context, sql string, keys Keys, args ...any) error
	// Insert writes n rows; row is called for each of them, in order, and sets all columns of the table in their order.
	Insert(ctx context.Context, t *Table, n int, row func(i int, v Values)) error
	// LockName makes transactions that lock the same name wait for each other.
	LockName(ctx context.Context, name string) error
}

// Engine is a database. Its Reader may be used by any number of goroutines at once, and from within the callbacks of
// its own queries.
type Engine interface {
	Reader
	// Write runs do in one transaction, which is durable when Write returns nil. It returns do's error unchanged, and
	// nothing is written then.
	Write(ctx context.Context, do func(Tx) error) error
}

// Values takes the columns of one row that is being inserted.
type Values interface {
	Int(v int64)
	Optional(v int64) // NULL if v is 0
	Bytes(v []byte)
	String(v string)
	OptionalString(v string) // NULL if v is ""
}

// Column is a column of a table: Width bytes of integer, or 0 for bytes.
type Column struct {
	Name  string
	Width int
}

// Table is what Insert writes into.
type Table struct {
	Name    string
	Columns []Column
}

// Catalog is every method of a catalog that is the same in all engines.
type Catalog struct {
	db Engine
}

// New returns the catalog in db.
func New(db Engine) *Catalog { return &Catalog{db: db} }
