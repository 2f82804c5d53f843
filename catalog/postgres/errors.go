package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/bus3/bus3/catalog"
	"github.com/jackc/pgx/v5/pgconn"
)

// explain puts an error of the driver, the server or the network into the catalog's words.
func explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var refused *refusal
	var server *pgconn.PgError
	switch {
	case errors.As(err, &refused):
		return refused
	case errors.Is(err, catalog.ErrUnavailable):
		return err
	case errors.As(err, &server):
		return explainServer(server, err)
	case away(err):
		return fmt.Errorf("%w: %w", catalog.ErrUnavailable, err)
	}
	return err
}

// explainServer goes by the classes of "PostgreSQL Error Codes".
func explainServer(server *pgconn.PgError, err error) error {
	class := server.Code[:min(2, len(server.Code))]
	switch {
	case server.Code == "23505": // unique_violation
		return fmt.Errorf("%w: a row of it is there already: %w", catalog.ErrInvalid, err)
	case class == "08", class == "57" && strings.HasPrefix(server.Code, "57P"), // connection lost; the server ends or starts
		class == "53" && server.Code != "53100", // no connection, no memory at the moment; but a full disk is told as what it is
		class == "40", server.Code == "55P03":   // a deadlock or the like, which another attempt resolves
		return fmt.Errorf("%w: %w", catalog.ErrUnavailable, err)
	case server.Code == "3D000":
		return fmt.Errorf("%w (make it with: createdb NAME)", err)
	case server.Code == "42501":
		return fmt.Errorf("%w (the user of the catalog's URL needs CREATE on the database, and to own the schema)", err)
	}
	return err
}

// away tells whether the server could not be reached, or the connection to it broke.
func away(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || pgconn.SafeToRetry(err) || pgconn.Timeout(err) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		strings.Contains(err.Error(), "conn closed")
}
