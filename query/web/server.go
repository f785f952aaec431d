package web

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/health"
)

// Config says what a server answers from, and to whom.
type Config struct {
	// DB is the database. The caller closes it, after the server has ended.
	DB *query.DB
	// Log is the log that is followed for what happens now; nil when there is none, and then nothing can be followed.
	Log jetstream.JetStream
	// Token is what each request for data has to carry, of at least [MinToken] characters.
	Token string
	// TokenFile is the file that Token is from. When it changes, the server takes the token that it holds from then on, and no other; while
	// it holds none, nobody is answered. With an empty name Token stays.
	TokenFile string
	// Status says how the recording is. /readyz and the status ask it, at most once in two seconds. With nil /readyz says no more
	// than whether the database can be read.
	Status func(context.Context) (*health.Status, error)
	// Hosts are names, without a port, by which requests may address the server, beside localhost and the address that
	// it listens on.
	Hosts []string
	// ProcessNames are patterns of path.Match: of the programs whose names match, /metrics has the figures by name, as process-exporter has
	// them. With none it has no figures of processes.
	ProcessNames []string
	// ParseTime reads a time as people write it, as of now. With nil a time is RFC 3339 or Unix seconds.
	ParseTime func(text string, now time.Time) (time.Time, error)
	// Now is the clock. With nil it is the machine's.
	Now func() time.Time
	// Logger takes what goes wrong. With nil nothing is told.
	Logger *slog.Logger
}

// Limits of a connection, which bound what a slow or hostile client can hold.
const (
	headerTime     = 5 * time.Second // to send a request's header
	idleTime       = 2 * time.Minute // between two requests
	maxHeaderBytes = 32 << 10
	maxConnections = 4096
	stopTime       = 5 * time.Second // for answers that are under way when the server is stopped
)

// writeTime is how long a client may need to take an answer, or an event of a stream. Tests set it.
var writeTime = 30 * time.Second

// Server answers requests. Make it with [New].
type Server struct {
	cfg     Config
	handler http.Handler
	token   *keptToken
	follows *follows // nil without a log
	status  kept
	names   names
	ending  chan struct{} // closed when the server ends
	end     func()
}
