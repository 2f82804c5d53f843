// Package sqlite is the catalog in a file of one host: no service to run.
//
// The file is in WAL mode: readers never wait for the writer, nor it for them. Writers, of all processes, take turns.
// What Apply acknowledged is on the disk (synchronous=FULL).
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/internal/relational"
	"github.com/bus3/bus3/catalog/schema"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitemigration"
	"zombiezen.com/go/sqlite/sqlitex"
)

// Options are how a catalog is opened.
type Options struct {
	// ReadOnly opens what is there, makes nothing, and writes nothing to it. Another process may be writing.
	ReadOnly bool
}

// Catalog is a catalog in a SQLite file. It may be used by any number of goroutines and processes at once.
type Catalog struct {
	*relational.Catalog
	path string
	db   *database
}

// Open opens the catalog in the file at path, and makes it, with its schema, if there is none.
func Open(ctx context.Context, path string, o Options) (*Catalog, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, fmt.Errorf("open the catalog: %w", err)
	}
	c := &Catalog{path: path, db: newDatabase(path, o.ReadOnly)}
	c.Catalog = relational.New(c.db)
	if err := c.prepare(ctx, o.ReadOnly); err != nil {
		return nil, errors.Join(fmt.Errorf("open the catalog %q: %w", path, err), c.db.close())
	}
	return c, nil
}

// Close gives everything back that the catalog holds. Nothing may use it any more.
func (c *Catalog) Close() error { return c.db.close() }

// prepare sees to it that the file is a catalog of this version's schema.
func (c *Catalog) prepare(ctx context.Context, readOnly bool) error {
	_, err := os.Stat(c.path)
	fresh := errors.Is(err, fs.ErrNotExist)
	switch {
	case fresh && readOnly:
		return fmt.Errorf("%w; `bus3 init` makes one, `bus3 rebuild` fills it from the store", catalog.ErrNoCatalog)
	case err != nil && !fresh:
		return err
	}
	if !fresh {
		if err := c.inspect(ctx); err != nil {
			return err
		}
	}
	conn, err := c.db.connect(ctx, !readOnly)
	if err != nil {
		return err
	}
	migrations, err := schema.SQLite()
	if err == nil {
		err = migrate(ctx, conn, migrations, readOnly)
	}
	if err != nil {
		return errors.Join(err, conn.Close())
	}
	if readOnly {
		return conn.Close()
	}
	c.db.writer <- conn
	if fresh {
		return syncDir(filepath.Dir(c.path))
	}
	return nil
}

// inspect refuses a database of another program before anything is done to it: even the journal mode is a change.
func (c *Catalog) inspect(ctx context.Context) (err error) {
	conn, err := c.db.connect(ctx, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(explain(ctx, err), conn.Close()) }()
	app, err := number(conn, "PRAGMA application_id")
	if err != nil || app == schema.AppID {
		return err
	}
	tables, err := number(conn, "SELECT count(*) FROM sqlite_master")
	if err == nil && (tables != 0 || app != 0) {
		err = errors.New("the file is a database of another program")
	}
	return err
}

func migrate(ctx context.Context, conn *sqlite.Conn, migrations []string, readOnly bool) error {
	version, err := number(conn, "PRAGMA user_version")
	switch {
	case err != nil:
		return explain(ctx, err)
	case version > int64(len(migrations)):
		return fmt.Errorf("%w (schema %d, this one knows %d)", catalog.ErrNewer, version, len(migrations))
	case version == int64(len(migrations)):
		return nil
	case readOnly && version == 0:
		return fmt.Errorf("%w; `bus3 init` makes one, `bus3 rebuild` fills it from the store", catalog.ErrNoCatalog)
	case readOnly:
		return fmt.Errorf("its schema has version %d, this bus3 needs %d: run a command that writes first, such as `bus3 backup`", version, len(migrations))
	}
	return explain(ctx, sqlitemigration.Migrate(ctx, conn, sqlitemigration.Schema{AppID: schema.AppID, Migrations: migrations}))
}

// number is the one integer that a statement results in.
func number(conn *sqlite.Conn, text string) (int64, error) {
	v := int64(0)
	err := sqlitex.ExecuteTransient(conn, text, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
		v = s.ColumnInt64(0)
		return nil
	}})
	return v, err
}

// syncDir makes the name of a new file in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
