package simulate

import (
	"time"

	"github.com/proctape/proctape/schema"
)

// Report is what came of a load so far. Durations are nanoseconds in JSON, as the names there say.
type Report struct {
	Elapsed   time.Duration `json:"elapsed_ns"`
	Hosts     int           `json:"hosts"`
	Messages  uint64        `json:"messages"`
	Snapshots uint64        `json:"snapshots"`
	Rows      uint64        `json:"process_rows"` // processes in all snapshots
	Events    uint64        `json:"events"`       // spawns, execs, exits, and what happened to jobs
	Bytes     uint64        `json:"bytes"`        // sent, headers and repetitions included

	// From the moment a host has offered its messages of one interval until the log has acknowledged them all. With
	// [Load.Fast] of several intervals.
	AckP50 time.Duration `json:"ack_p50_ns"`
	AckP99 time.Duration `json:"ack_p99_ns"`
	AckMax time.Duration `json:"ack_max_ns"`

	Late   time.Duration `json:"late_max_ns"` // how long after it was due a step began, at most
	Making time.Duration `json:"making_ns"`   // time that went into making and encoding messages, one at a time
	Drops  uint64        `json:"dropped"`     // items that publishers lost for want of room
	// Unacknowledged are items that the log has not acknowledged yet.
	Unacknowledged uint64 `json:"unacknowledged"`

	LagKnown bool   `json:"lag_known"` // whether the server said how far databases are
	Lag      []Lag  `json:"lag"`       // of each database that follows the log
	LagMax   uint64 `json:"lag_max"`   // the most messages that one of them was behind, looked at once a second
}

// PerSecond is n spread over the time the load has run.
func (r *Report) PerSecond(n uint64) float64 { return float64(n) / max(r.Elapsed.Seconds(), 1e-9) }

// counts are what was made.
type counts struct {
	messages, snapshots, rows, events uint64
	making, late                      time.Duration
}

func (c *counts) add(m *schema.Message) {
	c.messages++
	if m.Snapshot != nil {
		c.snapshots++
		c.rows += uint64(m.Snapshot.Processes.Len())
		return
	}
	c.events += m.Count()
}

// lagWatch is what is known of how far databases are behind.
type lagWatch struct {
	known bool
	now   []Lag
	max   uint64
}

// lagTimeout is how long the server may take to answer. One that does not let us ask never does.
const lagTimeout = 2 * time.Second
