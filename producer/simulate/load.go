package simulate

import (
	"fmt"
	"log/slog"
	"math"
	"time"
)

// Load says what [Run] publishes, and how. The zero value of each field but Fleet works.
type Load struct {
	Fleet    Config        // Run sets its Start
	Duration time.Duration // of simulated time; 0 for no end
	Fast     bool          // as fast as the log takes it, instead of as it comes due; needs a Duration
	Progress func(Report)  // called about once a second while Run runs, by one goroutine
	Domain   string        // of JetStream, for [schema.JetStream]
	Log      *slog.Logger
}

// MaxDuration is the longest a load may last.
const MaxDuration = 10 * 365 * 24 * time.Hour

// Validate returns a *[FieldError] for the first field that is out of its range.
func (l Load) Validate() error {
	if l.Duration < 0 || l.Duration > MaxDuration || l.Fast && l.Duration == 0 {
		return &FieldError{"duration", l.Duration, fmt.Sprintf("a time to simulate, up to %s", MaxDuration)}
	}
	l.Fleet.Start = l.start(time.Now())
	if err := l.Fleet.Validate(); err != nil {
		return err
	}
	return checkTrouble(&l.Fleet)
}

// steps is how many steps each host takes.
func (l Load) steps() int {
	if l.Duration == 0 || l.Fleet.Interval <= 0 {
		return math.MaxInt
	}
	return int(max(1, l.Duration/l.Fleet.Interval))
}

// start is when the first snapshot is due in a run that begins now: as soon as the fleet is made, for which some time
// is allowed; or so long ago that the last one is due now.
func (l Load) start(now time.Time) time.Time {
	if l.Fast {
		return now.Add(-time.Duration(l.steps()) * l.Fleet.Interval)
	}
	return now.Add(250*time.Millisecond + time.Duration(l.Fleet.Hosts)*time.Duration(l.Fleet.Processes)*2*time.Microsecond)
}
