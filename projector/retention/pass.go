package retention

import (
	"database/sql"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
)

// pass is one run of retention under way.
type pass struct {
	js         jetstream.JetStream // nil: the log is not looked at
	log        *slog.Logger
	databaseID string
	settings   Settings
	limits     limits
	read       *sql.DB
	writer     *writer
	clocks     func() (Reading, error)

	ages     ages
	troubles *troubles
	removed  schema.Removed
}
