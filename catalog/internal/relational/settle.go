package relational

import (
	"context"

	"github.com/bus3/bus3/catalog"
)

// Settle makes a catalog that belongs to one ID belong to another: from what it is called while it is being filled to
// what it is called when it is whole. ErrOtherRepository if it belongs to neither; nothing is done if it belongs to the other one already.
func (c *Catalog) Settle(ctx context.Context, from, to catalog.RepositoryID) error {
	return c.db.Write(ctx, func(tx Tx) error {
		if _, err := tx.Exec(ctx, `UPDATE repository SET id = $2 WHERE id = $1`, from[:], to[:]); err != nil {
			return err
		}
		switch has, err := repository(ctx, tx); {
		case err != nil:
			return err
		case has != to:
			return catalog.ErrOtherRepository
		}
		return nil
	})
}
