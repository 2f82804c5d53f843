package relational

import (
	"context"

	"github.com/bus3/bus3/catalog"
	"github.com/bus3/bus3/catalog/schema"
)

var belonging = Query{SQL: `SELECT id FROM repository`, Shape: "b"}

// Repository is the repository that the catalog belongs to; ErrEmpty if it belongs to none yet.
func (c *Catalog) Repository(ctx context.Context) (catalog.RepositoryID, error) {
	return repository(ctx, c.db)
}

func repository(ctx context.Context, db Reader) (catalog.RepositoryID, error) {
	var id catalog.RepositoryID
	found := false
	err := db.Query(ctx, &belonging, nil, func(r *Row) error {
		b := r.Bytes(0)
		if len(b) != len(id) {
			return catalog.Invalidf("the repository's ID has %d bytes", len(b))
		}
		id, found = catalog.RepositoryID(b), true
		return nil
	})
	if err == nil && !found {
		err = catalog.ErrEmpty
	}
	return id, err
}

// Claim makes an empty catalog belong to a repository. ErrOtherRepository if it belongs to another one; nothing is done
// if it belongs to this one.
func (c *Catalog) Claim(ctx context.Context, id catalog.RepositoryID) error {
	return c.db.Write(ctx, func(tx Tx) error {
		if _, err := tx.Exec(ctx, `INSERT INTO repository (one, id) VALUES (1, $1) ON CONFLICT (one) DO NOTHING`, id[:]); err != nil {
			return err
		}
		switch has, err := repository(ctx, tx); {
		case err != nil:
			return err
		case has != id:
			return catalog.ErrOtherRepository
		}
		return nil
	})
}

// Reset empties the catalog: afterwards it knows nothing and belongs to no repository.
func (c *Catalog) Reset(ctx context.Context) error {
	return c.db.Write(ctx, func(tx Tx) error {
		for _, table := range schema.Tables() {
			if _, err := tx.Exec(ctx, `DELETE FROM `+table); err != nil {
				return err
			}
		}
		return nil
	})
}
