package postgres

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/schema"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	goosedb "github.com/pressly/goose/v3/database"
	gooselock "github.com/pressly/goose/v3/lock"
)

// versions is the table in which the schema's version is kept.
const versions = "schema_version"

// prepare sees to it that the schema is there and has the version that this program knows.
func prepare(ctx context.Context, cfg *pgx.ConnConfig, name string, readOnly bool) (err error) {
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeNow(conn)) }()
	if err := setSession(ctx, conn, name, readOnly); err != nil {
		return err
	}
	migrations, err := schema.Postgres()
	if err != nil {
		return err
	}
	version, err := currentVersion(ctx, conn, name)
	switch {
	case err != nil:
		return err
	case version > int64(len(migrations)):
		return fmt.Errorf("%w (schema %d, this one knows %d)", catalog.ErrNewer, version, len(migrations))
	case version == int64(len(migrations)):
		return nil
	case readOnly && version == 0:
		return fmt.Errorf("%w in schema %q; `bus3 init` makes one, `bus3 rebuild` fills it from the store", catalog.ErrNoCatalog, name)
	case readOnly:
		return fmt.Errorf("its schema has version %d, this bus3 needs %d: run a command that writes first, such as `bus3 backup`", version, len(migrations))
	}
	return migrate(ctx, cfg, name, migrations)
}

// currentVersion is the version of the tables in the schema; 0 if it has none. A schema that has other tables is left alone.
func currentVersion(ctx context.Context, conn *pgx.Conn, name string) (int64, error) {
	var tables, ours int
	err := conn.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE c.relname = $2) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace `+
		`WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'v', 'm', 'f')`, name, versions).Scan(&tables, &ours)
	switch {
	case err != nil:
		return 0, err
	case tables == 0:
		return 0, nil
	case ours == 0:
		return 0, fmt.Errorf("the database has a schema %q that bus3 did not make; name another one in the URL (?search_path=NAME), or another database", name)
	}
	version := int64(0)
	err = conn.QueryRow(ctx, `SELECT COALESCE(max(version_id), 0) FROM `+pgx.Identifier{name, versions}.Sanitize()+` WHERE is_applied`).Scan(&version)
	return version, err
}

// migrate makes the schema and its tables, or brings them to the newest version. Processes that do so at once wait for
// each other.
func migrate(ctx context.Context, cfg *pgx.ConnConfig, name string, texts []string) (err error) {
	db := stdlib.OpenDB(*cfg, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		return setSession(ctx, conn, name, false)
	}))
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := makeSchema(ctx, db, name); err != nil {
		return err
	}
	locker, err := gooselock.NewPostgresSessionLocker()
	if err != nil {
		return err
	}
	store, err := goosedb.NewStore(goosedb.DialectPostgres, versions)
	if err != nil {
		return err
	}
	var migrations []*goose.Migration
	for i, text := range texts {
		up := &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, text)
			return err
		}}
		migrations = append(migrations, goose.NewGoMigration(int64(i+1), up, nil))
	}
	provider, err := goose.NewProvider("", db, nil, goose.WithStore(store), goose.WithGoMigrations(migrations...),
		goose.WithDisableGlobalRegistry(true), goose.WithSessionLocker(locker))
	if err != nil {
		return fmt.Errorf("prepare the schema: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("make the tables: %w", err)
	}
	return nil
}

// makeSchema takes a lock of its own: CREATE SCHEMA IF NOT EXISTS fails if two say it at once.
func makeSchema(ctx context.Context, db *sql.DB, name string) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `SELECT pg_advisory_xact_lock(hashtextextended('bus3 schema', 0))`)
	if err == nil {
		_, err = tx.ExecContext(ctx, `CREATE SCHEMA IF NOT EXISTS `+pgx.Identifier{name}.Sanitize())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("make the schema %q: %w", name, err), tx.Rollback())
	}
	return tx.Commit()
}
