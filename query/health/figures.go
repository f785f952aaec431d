// Package health judges how a recording is: [Read] and [ReadLog] gather figures of the database and of the log, others add what
// the recorder says of itself, and [Judge] makes a [Verdict] of them.
package health

import (
	"time"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/state"
)

// Figures are what a verdict is made of.
type Figures struct {
	Now      time.Time
	Database string // as people know it
	Data     string // the data folder, as people know it; empty for none

	// Remote says that the log is another server's, and not that of a recorder on the data folder.
	Remote    bool
	Recorder  int       // pid of the process that has the log of the data folder open; 0 for none
	Opened    time.Time // when it opened the log; zero when that is not known
	Projector int       // pid of the process that writes the database; 0 for none
	Halted    bool      // the process is stopped by a signal or a debugger
	ReadOnly  string    // why the data folder takes no writes, so that the process cannot say how it is; empty when it takes them

	State *state.Process // what the process that projects says of itself, or for a remote log the recorder; nil for nothing
	Age   time.Duration  // of what it says

	Log       Log
	Streams   []Stream
	Hosts     []Host
	Doubles   []string // hosts that two samplers record under one name
	Steps     []Step
	Lost      []Loss // of the last hour
	Late      []Late
	Retention string // why its last pass did not come to its end; empty when it did
	Proof     *Proof // nil when nothing is known of it
}

// Log is whether the log answers.
type Log struct {
	Asked bool
	Error string // why it does not answer; empty when it does
}

// Stream is a stream of the log, and how far it is projected.
type Stream struct {
	Name string
	Gone bool   // the log does not have it
	Seq  uint64 // that is projected
	Last uint64 // of the stream; 0 when that is not known
	// Oldest is when the log took the oldest message that is not projected; zero when there is none, or nothing is known of it.
	Oldest time.Time
}

// Host is a host that was recorded.
type Host struct {
	Name     string
	Seen     time.Time     // when the log took its newest snapshot; by the host's own clock when Asked says no
	Asked    bool          // the log said when
	Interval time.Duration // between its snapshots; 0 when not known
	Stopped  bool          // its sampler said that it stops, after its newest snapshot; counts when Asked
	Ahead    time.Duration // by how much the wall time in its newest snapshot was ahead of the log's clock; counts when Asked
}

// Step is a clock that was set.
type Step struct {
	Host    string
	At      float64 // Unix seconds
	Details string
}

// Loss is what the gaps of a kind and the last hour say is missing.
type Loss struct {
	Kind    schema.GapKind
	Count   int64   // as far as it is known
	Unknown int64   // gaps of which nobody knows how much is missing
	First   float64 // Unix seconds
}

// Late is samples of a host that were not taken in time in the last hour.
type Late struct {
	Host     string
	Samples  int64
	Interval time.Duration
}

// Proof is how far it is proven that the database holds what was stored in it.
type Proof struct {
	Until  *float64 `json:"proven_until"`   // Unix seconds: what is older is proven; nil when nothing is
	Full   *float64 `json:"last_full_pass"` // Unix seconds: the end of the last pass over all of it that found nothing
	Failed string   `json:"failed,omitempty"`
}
