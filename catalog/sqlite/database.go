package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/internal/relational"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// readers is how many queries run at once. Those that wait for a callback do not count.
const readers = 4

// settings of a connection. FULL: what was committed survives a loss of power. Page caches are small, the kernel has the
// file in its own. What it takes to undo one statement, some hundreds of pages at the most, stays in memory.
func settings(write bool) []string {
	if write {
		return []string{"synchronous = FULL", "cache_size = -8192", "temp_store = MEMORY", "wal_autocheckpoint = 4000", "journal_size_limit = 67108864"}
	}
	return []string{"query_only = ON", "cache_size = -2048"}
}

// database is the relational.Engine over one file.
type database struct {
	path     string
	readOnly bool

	slots  chan struct{}     // taken by running queries
	writer chan *sqlite.Conn // holds the one connection that writes, when nobody does
	texts  sync.Map          // statements with their marks filled in, by what they were and how many keys they have

	mu   sync.Mutex
	idle []*sqlite.Conn // for reading
}

var _ relational.Engine = (*database)(nil)

func newDatabase(path string, readOnly bool) *database {
	return &database{path: path, readOnly: readOnly, slots: make(chan struct{}, readers), writer: make(chan *sqlite.Conn, 1)}
}

func (d *database) connect(ctx context.Context, write bool) (*sqlite.Conn, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	flags := sqlite.OpenReadWrite
	switch {
	case d.readOnly:
		flags = sqlite.OpenReadOnly
	case write:
		flags = sqlite.OpenReadWrite | sqlite.OpenCreate | sqlite.OpenWAL
	}
	conn, err := sqlite.OpenConn(d.path, flags)
	if err != nil {
		return nil, explain(ctx, err)
	}
	for _, s := range settings(write) {
		if err := sqlitex.ExecuteTransient(conn, "PRAGMA "+s, nil); err != nil {
			return nil, errors.Join(explain(ctx, err), conn.Close())
		}
	}
	return conn, nil
}

func (d *database) close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var err error
	for _, conn := range d.idle {
		err = errors.Join(err, conn.Close())
	}
	d.idle = nil
	select { // last, so that it tidies the WAL up
	case conn := <-d.writer:
		err = errors.Join(err, conn.Close())
	default:
	}
	return err
}

// borrow takes a connection for reading; give gives it back.
func (d *database) borrow(ctx context.Context) (*sqlite.Conn, error) {
	d.mu.Lock()
	if n := len(d.idle); n > 0 {
		conn := d.idle[n-1]
		d.idle = d.idle[:n-1]
		d.mu.Unlock()
		return conn, nil
	}
	d.mu.Unlock()
	return d.connect(ctx, false)
}

func (d *database) give(conn *sqlite.Conn) error {
	d.mu.Lock()
	if len(d.idle) < readers {
		d.idle = append(d.idle, conn)
		conn = nil
	}
	d.mu.Unlock()
	if conn != nil {
		return conn.Close()
	}
	return nil
}

// Query implements relational.Reader.
func (d *database) Query(ctx context.Context, q *relational.Query, args []any, each func(*relational.Row) error) error {
	return d.stream(ctx, &cursor{ctx: ctx, db: d, query: q, args: args, keys: -1}, len(q.Shape), each)
}

// Many implements relational.Reader.
func (d *database) Many(ctx context.Context, q *relational.Query, keys relational.Keys, args []any, each func(int, *relational.Row) error) error {
	return d.stream(ctx, &cursor{ctx: ctx, db: d, query: q, args: args, columns: keys, keys: length(keys)}, len(q.Shape)+1, func(r *relational.Row) error {
		return each(int(r.Int(0)), r)
	})
}

func (d *database) stream(ctx context.Context, c *cursor, width int, each func(*relational.Row) error) error {
	select {
	case d.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	c.slot = true
	conn, err := d.borrow(ctx)
	if err != nil {
		c.Detach()
		return err
	}
	c.conn = conn
	conn.SetInterrupt(ctx.Done())
	return relational.Stream(c, width, each)
}

// render fills in the marks of a statement.
func (d *database) render(text string, keys int) string {
	type key struct {
		text string
		keys int
	}
	if t, ok := d.texts.Load(key{text, keys}); ok {
		return t.(string)
	}
	marks := []string{"{lock}", "", "{from}", "", "{using}", "", "{a}", "?1", "{b}", "?2", "{c}", "?3"}
	for i := 20; i > 0; i-- { // $10 before $1
		marks = append(marks, fmt.Sprintf("$%d", i), fmt.Sprintf("?%d", i+keys))
	}
	t := strings.NewReplacer(marks...).Replace(text)
	d.texts.Store(key{text, keys}, t)
	return t
}

// explain puts an error of the driver into the catalog's words.
func explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	code := sqlite.ErrCode(err)
	switch code.ToPrimary() {
	case sqlite.ResultInterrupt:
		if ctx.Err() != nil {
			return ctx.Err()
		}
	case sqlite.ResultConstraint:
		return fmt.Errorf("%w: a row of it is there already: %w", catalog.ErrInvalid, err)
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return fmt.Errorf("%w: %w", catalog.ErrUnavailable, err)
	case sqlite.ResultCantOpen:
		return fmt.Errorf("%w (its folder must exist, and be writable even for reading: SQLite keeps the files -wal and -shm there)", err)
	case sqlite.ResultCorrupt, sqlite.ResultNotADB:
		return fmt.Errorf("%w: %w, or no catalog; `bus3 rebuild` makes a new one from the store: %w", catalog.ErrInvalid, catalog.ErrCorrupt, err)
	}
	return err
}
