package web

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/proctape/proctape/query"
)

// Config says what a server answers from, and to whom.
type Config struct {
	// DB is the database. The caller closes it, after the server has ended.
	DB *query.DB
	// Log is the log that is followed for what happens now; nil when there is none, and then nothing can be followed.
	Log jetstream.JetStream
	// Token is what each request for data has to carry, of at least [MinToken] characters.
	Token string
	// Verdict says how the recording is: "well", "degraded" or "standing". /readyz asks it, at most once in two seconds. With nil
	// /readyz says no more than whether the database can be read.
	Verdict func(context.Context) (string, error)
	// Hosts are names, without a port, by which requests may address the server, beside localhost and the address that
	// it listens on.
	Hosts []string
	// ParseTime reads a time as people write it, as of now. With nil a time is RFC 3339 or Unix seconds.
	ParseTime func(text string, now time.Time) (time.Time, error)
	// Now is the clock. With nil it is the machine's.
	Now func() time.Time
	// Logger takes what goes wrong. With nil nothing is told.
	Logger *slog.Logger
}

// MinToken is the least number of characters of a token.
const MinToken = 32

// Limits of a connection, which bound what a slow or hostile client can hold.
const (
	headerTime     = 5 * time.Second  // to send a request's header
	idleTime       = 2 * time.Minute  // between two requests
	writeTime      = 30 * time.Second // to take an answer, and each event of a stream
	maxHeaderBytes = 16 << 10
	maxConnections = 4096
	stopTime       = 5 * time.Second // for answers that are under way when the server is stopped
)

// Server answers requests. Make it with [New].
type Server struct {
	cfg     Config
	token   [sha256.Size]byte
	handler http.Handler
	follows *follows // nil without a log
	verdict verdict
}

// knowsHost reports whether a request may address the server by the text of its Host header. A name that an attacker's DNS
// points here is not one: browsers send it along.
func (s *Server) knowsHost(r *http.Request) bool {
	name := r.Host
	if host, _, err := net.SplitHostPort(name); err == nil {
		name = host
	}
	name = strings.ToLower(strings.Trim(name, "[]"))
	if name == "localhost" || isLoopback(name) {
		return true
	}
	for _, known := range s.cfg.Hosts {
		if name == strings.ToLower(known) {
			return true
		}
	}
	local, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && name == local.IP.String()
}

// isLoopback reports whether a name is an address of this machine alone.
func isLoopback(name string) bool {
	ip := net.ParseIP(name)
	return ip != nil && ip.IsLoopback()
}

// knowsToken reports whether a request carries the token. How long it takes says nothing of the token.
func (s *Server) knowsToken(r *http.Request) bool {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got := sha256.Sum256([]byte(strings.TrimSpace(token)))
	return subtle.ConstantTimeCompare(got[:], s.token[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}
