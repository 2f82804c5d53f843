package sqlite

import (
	"fmt"

	"github.com/bus3/bus3/catalog/internal/relational"
	"zombiezen.com/go/sqlite"
)

// binder binds the columns of one row after the other. It is a relational.Values.
type binder struct {
	stmt    *sqlite.Stmt
	column  int
	scratch []byte
}

// Int is the next column as a number.
func (b *binder) Int(v int64) {
	b.column++
	b.stmt.BindInt64(b.column, v)
}

// Optional is Int, with NULL for 0.
func (b *binder) Optional(v int64) {
	b.column++
	if v == 0 {
		b.stmt.BindNull(b.column)
		return
	}
	b.stmt.BindInt64(b.column, v)
}

// Bytes is the next column as bytes.
func (b *binder) Bytes(v []byte) {
	b.column++
	b.stmt.BindBytes(b.column, v)
}

// String is Bytes of a string.
func (b *binder) String(v string) {
	b.scratch = append(b.scratch[:0], v...)
	b.Bytes(b.scratch)
}

// OptionalString is String, with NULL for none.
func (b *binder) OptionalString(v string) {
	if v == "" {
		b.Optional(0)
		return
	}
	b.String(v)
}

// bindArgs binds arguments behind the columns of keys.
func bindArgs(stmt *sqlite.Stmt, keys int, args []any) {
	for i, a := range args {
		bind(stmt, keys+i+1, a)
	}
}

// bindKey binds key i.
func bindKey(stmt *sqlite.Stmt, keys relational.Keys, i int) {
	for n, column := range keys {
		switch c := column.(type) {
		case []int64:
			stmt.BindInt64(n+1, c[i])
		case [][]byte:
			stmt.BindBytes(n+1, c[i])
		default:
			panic(fmt.Sprintf("sqlite: a column of keys is %T", column))
		}
	}
}

func bind(stmt *sqlite.Stmt, n int, arg any) {
	switch a := arg.(type) {
	case int64:
		stmt.BindInt64(n, a)
	case []byte:
		stmt.BindBytes(n, a)
	default:
		panic(fmt.Sprintf("sqlite: an argument is %T", arg))
	}
}

// length is how many keys there are.
func length(keys relational.Keys) int {
	switch c := keys[0].(type) {
	case []int64:
		return len(c)
	case [][]byte:
		return len(c)
	}
	panic(fmt.Sprintf("sqlite: a column of keys is %T", keys[0]))
}
