package projector

import (
	"context"
	"database/sql"
	"fmt"

	"modernc.org/sqlite"

	"github.com/proctape/proctape/schema"
)

// DropQuarantined deletes messages from the quarantine of the database at path: one, named by its stream, epoch and
// sequence, or with an empty stream all of them. It returns how many. It may be called while a projector writes the
// database: nothing that a projector remembers depends on what it deletes, and SQLite lets one write after the other.
func DropQuarantined(ctx context.Context, path, stream string, epoch, seq int64) (int64, error) {
	db := sql.OpenDB(connector{new(sqlite.Driver), schema.WriterDSN(path)})
	defer db.Close()
	query, args := `DELETE FROM quarantine`, []any(nil)
	if stream != "" {
		query, args = query+` WHERE stream=? AND epoch=? AND seq=?`, []any{stream, epoch, seq}
	}
	res, err := db.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, fmt.Errorf("drop from quarantine: %w", err)
	}
	return res.RowsAffected()
}
