// Package schema is the one text of the catalog's tables, for both engines, as numbered migrations.
package schema

import (
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed *.sql
var files embed.FS

// AppID marks a SQLite file as a catalog of bus3 ("bus3" in ASCII), in the application_id of its header.
const AppID = 0x62757333

// Tables are all tables, those that are referred to after those that refer to them.
func Tables() []string {
	return []string{"entry", "problem", "piece", "value", "chunk", "segment", "pack", "scan", "source", "repository"}
}

// SQLite returns the migrations in order; that of index i leads to version i+1.
func SQLite() ([]string, error) {
	names, err := fs.Glob(files, "*.sql")
	if err != nil {
		return nil, err
	}
	var out []string
	for i, name := range names {
		if !strings.HasPrefix(name, fmt.Sprintf("%04d_", i+1)) {
			return nil, fmt.Errorf("migration %d is missing: found %s", i+1, name)
		}
		text, err := files.ReadFile(name)
		if err != nil {
			return nil, err
		}
		out = append(out, string(text))
	}
	return out, nil
}

// Postgres returns the migrations of SQLite() in the words of PostgreSQL.
func Postgres() ([]string, error) {
	texts, err := SQLite()
	if err != nil {
		return nil, err
	}
	words := strings.NewReplacer(
		"INTEGER PRIMARY KEY", "BIGINT PRIMARY KEY", // SQLite's name for the row's own number
		"BLOB", "BYTEA",
		") WITHOUT ROWID;", ");",
	)
	for i := range texts {
		texts[i] = words.Replace(texts[i])
	}
	return texts, nil
}
