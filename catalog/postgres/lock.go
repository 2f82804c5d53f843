package postgres

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/bus3/bus3/catalog"
	"github.com/jackc/pgx/v5"
)

// lock is an advisory lock on a session of its own: it ends when its holder dies, or the server does.
type lock struct {
	mu   sync.Mutex
	conn *pgx.Conn // nil: released
}

var _ catalog.Lock = (*lock)(nil)

// lockKey is the number by which a name is locked, for one purpose in one schema. Two names that share a number wait
// for each other for nothing, once in 2^64.
func (d *database) lockKey(purpose, name string) int64 {
	sum := sha256.Sum256([]byte("bus3\x00" + d.schema + "\x00" + purpose + "\x00" + name))
	return int64(binary.BigEndian.Uint64(sum[:]))
}

func (d *database) lockSource(ctx context.Context, host, root string) (*lock, error) {
	conn, err := pgx.ConnectConfig(ctx, d.config)
	if err != nil {
		return nil, err
	}
	got := false
	_, err = conn.Exec(ctx, `SELECT set_config('idle_session_timeout', '0', false)`)
	if err == nil {
		err = conn.QueryRow(ctx, `SELECT pg_try_advisory_lock($1)`, d.lockKey("source", host+"\x00"+root)).Scan(&got)
	}
	if err == nil && !got {
		err = catalog.ErrLocked
	}
	if err != nil {
		return nil, errors.Join(err, closeNow(conn))
	}
	return &lock{conn: conn}, nil
}

// Check implements catalog.Lock by asking the session that holds the lock.
func (l *lock) Check(ctx context.Context) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return catalog.ErrLockLost
	}
	if err := l.conn.Ping(ctx); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("%w: %w", catalog.ErrLockLost, err)
	}
	return nil
}

// Release implements catalog.Lock.
func (l *lock) Release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.conn == nil {
		return nil
	}
	conn := l.conn
	l.conn = nil
	if conn.IsClosed() {
		return nil // lost long ago
	}
	// A session ends some time after it was told to, and the lock must be free when Release returns. Where this does not
	// reach the server, the lock ends with the session.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	_, _ = conn.Exec(ctx, `SELECT pg_advisory_unlock_all()`)
	return closeNow(conn)
}

// closeNow ends a session also when its context has ended.
func closeNow(conn *pgx.Conn) error {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return conn.Close(ctx)
}
