package retention

import (
	"cmp"
	"time"

	"github.com/proctape/proctape/schema"
)

// Settings say how long a database keeps what it holds. The zero value of each field works.
type Settings struct {
	Policy   schema.Policy
	Interval time.Duration // between passes; default 10 minutes, at least a second
	MaxBytes int64         // of the database file; beyond it the oldest goes before its time. 0 for no cap
	// Away is how long a database that stands still keeps the log from being trimmed; default as long as the policy
	// keeps the stream.
	Away time.Duration
	// Clocks reads the machine's clocks; nil for this machine's. A test gives its own: then what the server says of times
	// is not looked at.
	Clocks func() (Reading, error)
}

// withDefaults is s with the defaults in place of zeros.
func (s Settings) withDefaults() Settings {
	s.Policy = s.Policy.WithDefaults()
	s.Interval = max(cmp.Or(s.Interval, 10*time.Minute), time.Second)
	return s
}

// limits are the ages from which rows go.
type limits struct{ full, downsampled, events, runs time.Duration }

func limitsOf(p schema.Policy) limits {
	p = p.WithDefaults()
	return limits{p.FullResolution, p.Downsampled, p.Events, p.Runs}
}
