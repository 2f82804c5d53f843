// Package postgres is the catalog of many hosts, in a schema of its own in a PostgreSQL database.
//
// What Apply acknowledged is durable whatever the server's defaults are: sessions ask for synchronous_commit, and a server
// that would lose it in a crash is refused. Writers of different sources never wait for each other. Locks belong to
// sessions, so a pooler in between must not hand sessions on between transactions (pgbouncer: pool_mode = session).
package postgres

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/internal/relational"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Options are how a catalog is opened.
type Options struct {
	// ReadOnly opens what is there, makes nothing, and writes nothing.
	ReadOnly bool
}

// connections is how many of them a process has at the most for ordinary queries: many hosts share one server.
const connections = 4

// connectTimeout bounds one attempt to reach the server, unless the URL says otherwise (connect_timeout).
const connectTimeout = 30 * time.Second

// defaultSchema is where the tables are, unless the URL says otherwise (search_path).
const defaultSchema = "bus3"

// Catalog is a catalog in PostgreSQL. It may be used by any number of goroutines, processes and hosts at once.
type Catalog struct {
	*relational.Catalog
	db *database
}

// Open opens the catalog in the database that url names, in any form that pgx knows, and makes its tables if there are none.
func Open(ctx context.Context, url string, o Options) (*Catalog, error) {
	cfg, err := pgxpool.ParseConfig(url)
	if err != nil {
		return nil, fmt.Errorf("the catalog's URL: %w", err)
	}
	where := fmt.Sprintf("%q on %s", cfg.ConnConfig.Database, cfg.ConnConfig.Host)
	fail := func(err error) (*Catalog, error) {
		return nil, fmt.Errorf("open the catalog %s: %w", where, explain(ctx, err))
	}
	schemaName, err := adjust(cfg, o)
	if err != nil {
		return fail(err)
	}
	if err := prepare(ctx, cfg.ConnConfig, schemaName, o.ReadOnly); err != nil {
		return fail(err)
	}
	pool, err := pgxpool.NewWithConfig(ctx, cfg)
	if err != nil {
		return fail(err)
	}
	db := &database{pool: pool, config: cfg.ConnConfig, schema: schemaName, readOnly: o.ReadOnly}
	if err := pool.Ping(ctx); err != nil {
		pool.Close()
		return fail(err)
	}
	return &Catalog{Catalog: relational.New(db), db: db}, nil
}

// Close gives everything back that the catalog holds. Nothing may use it any more.
func (c *Catalog) Close() error {
	c.db.pool.Close()
	return nil
}

// adjust sets what the URL left open, and returns the schema's name.
func adjust(cfg *pgxpool.Config, o Options) (string, error) {
	conn := cfg.ConnConfig
	name := conn.RuntimeParams["search_path"]
	delete(conn.RuntimeParams, "search_path") // setSession does it, so that a pooler need not know the parameter
	if name == "" {
		name = defaultSchema
	}
	if strings.ContainsAny(name, `,"$`) {
		return "", fmt.Errorf("search_path=%q: it must be the name of one schema", name)
	}
	if _, ok := conn.RuntimeParams["application_name"]; !ok {
		conn.RuntimeParams["application_name"] = "bus3"
	}
	if conn.ConnectTimeout == 0 {
		conn.ConnectTimeout = connectTimeout
	}
	if conn.DefaultQueryExecMode == pgx.QueryExecModeSimpleProtocol {
		conn.DefaultQueryExecMode = pgx.QueryExecModeExec // rows are read in their binary form
	}
	cfg.MaxConns = connections
	cfg.AfterConnect = func(ctx context.Context, conn *pgx.Conn) error { return setSession(ctx, conn, name, o.ReadOnly) }
	return name, nil
}

// setSession makes a new session durable and its plans predictable, and refuses a server that breaks promises.
// Every query has its index: the planner must not read tables in full because it has no statistics yet.
func setSession(ctx context.Context, conn *pgx.Conn, schemaName string, readOnly bool) error {
	var fsync, pages string
	err := conn.QueryRow(ctx, `SELECT current_setting('fsync'), current_setting('full_page_writes'), `+
		`set_config('search_path', $1, false), set_config('enable_seqscan', 'off', false), set_config('enable_hashjoin', 'off', false), `+
		`set_config('enable_mergejoin', 'off', false), set_config('jit', 'off', false), set_config('max_parallel_workers_per_gather', '0', false), `+
		`set_config('default_transaction_read_only', $2, false), `+
		`set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)`,
		pgx.Identifier{schemaName}.Sanitize(), onOff(readOnly)).Scan(&fsync, &pages, nil, nil, nil, nil, nil, nil, nil, nil)
	switch {
	case err != nil:
		return err
	case readOnly:
		return nil
	case fsync != "on":
		return &refusal{"fsync", "what it says is stored would be lost, or the whole database damaged, in a crash"}
	case pages != "on":
		return &refusal{"full_page_writes", "a crash in the middle of a write would damage its tables"}
	}
	return nil
}

func onOff(v bool) string {
	if v {
		return "on"
	}
	return "off"
}

// refusal is why a server is not used.
type refusal struct{ setting, why string }

func (r *refusal) Error() string {
	return fmt.Sprintf("the PostgreSQL server runs with %s=off: %s. Set %s = on in its postgresql.conf and reload it; bus3 does not write to it before", r.setting, r.why, r.setting)
}

var _ relational.Engine = (*database)(nil)

// LockSource makes the caller the only writer of a source, until the lock is released or its session ends. ErrLocked if
// somebody else is.
func (c *Catalog) LockSource(ctx context.Context, host, root string) (catalog.Lock, error) {
	l, err := c.db.lockSource(ctx, host, root)
	if err != nil {
		return nil, fmt.Errorf("lock %q of host %q: %w", root, host, explain(ctx, err))
	}
	return l, nil
}
