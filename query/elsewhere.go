package query

import (
	"context"
	"database/sql"
)

// Elsewhere is a database on another machine, which somebody there reads for us.
type Elsewhere struct {
	DB *sql.DB // runs statements there
	// Proof says how far the database is known to be what was written: as it is now, and as it was noted last.
	Proof func(ctx context.Context) (now, noted Proven, err error)
	Close func() // is called when the database is closed
}
