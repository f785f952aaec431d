package mcp

import (
	"log/slog"
	"time"

	"github.com/proctape/proctape/query"
)

// Config says from what is answered.
type Config struct {
	// DB is the database. The caller closes it, after Serve has ended.
	DB *query.DB
	// Version is that of the program, which clients are told.
	Version string
	// ParseTime reads a time as people write it, as of now.
	ParseTime func(text string, now time.Time) (time.Time, error)
	// Deadline is how long one question may take; 0 for 30 seconds.
	Deadline time.Duration
	// Now is the clock. With nil it is the machine's.
	Now func() time.Time
	// Logger takes what goes wrong. With nil nothing is told.
	Logger *slog.Logger
}

// What inputs and answers are held to.
const (
	mostBytes   = 512 << 10 // of an answer
	mostHosts   = 20        // of which the coverage is told
	longestText = 4096      // characters of an input; a statement may have 64 KiB
)

// asked is what every question is asked of.
type asked struct {
	db  *query.DB
	cfg *Config
	now time.Time
}

// unix is when the question was asked, in Unix seconds.
func (a *asked) unix() float64 { return float64(a.now.UnixNano()) / 1e9 }

// reply is what a question gets.
type reply struct {
	value  any // marshalled, and marked
	covers []query.Coverage
	cut    bool         // there is more than was asked for
	next   query.Cursor // goes on behind the last item; empty where nothing can
}

// listed is an answer whose items can be left out from the end, until it is small enough.
type listed interface {
	// halve leaves half of the items out, and reports whether there was one to leave out.
	halve() bool
}
