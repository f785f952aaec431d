package retention

import (
	"database/sql"
	"log/slog"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/trouble"
)

// reporting is the name under which retention reports trouble.
const reporting = "retention"

// pass is one run of retention under way.
type pass struct {
	js         jetstream.JetStream // nil: the log is not looked at
	log        *slog.Logger
	trouble    *trouble.Reporter
	databaseID string
	settings   Settings
	limits     limits
	read       *sql.DB
	writer     *writer
	clocks     func() (Reading, error)

	ages     ages
	troubles *hostTroubles
	removed  schema.Removed
}
