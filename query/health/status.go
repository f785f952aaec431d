package health

import (
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema/durations"
	"github.com/proctape/proctape/schema/state"
	"github.com/proctape/proctape/schema/trouble"
)

// Status is all that is told of a recording: the verdict, who records and projects, how far each stream is, and each host's balance.
type Status struct {
	Verdict
	Data      string               `json:"data"`
	Recorder  int                  `json:"recorder_pid"`  // 0: none runs
	Projector int                  `json:"projector_pid"` // of who writes the database; 0: nobody does
	Database  string               `json:"database"`
	SizeBytes int64                `json:"database_bytes"`
	HostsHeld string               `json:"hosts_held,omitempty"` // patterns of the hosts that the database is of; absent for all of its log
	Memory    *state.Memory        `json:"memory"`               // that the recorder keeps to; null when it does not say
	Sampler   *state.Sampler       `json:"sampler"`              // of the recorder; null when it does not say
	Spool     *state.Disk          `json:"spool"`                // what waits on this machine's disk for the log; null for nothing
	Programs  *state.Programs      `json:"programs,omitempty"`   // that the recorder has in the kernel; absent for none
	Proof     *Proof               `json:"proof"`                // null when nothing is known of it
	Streams   []StreamStatus       `json:"streams"`
	Hosts     []query.HostBalance  `json:"hosts"`
	Commits   *durations.Histogram `json:"commit_seconds,omitempty"` // how long each commit of who writes the database took
	Stopped   []string             `json:"stopped"`                  // hosts whose samplers said that they stop; empty when the log does not answer
}

// SetLevel sets the level of a status that came as JSON, which has its word.
func (s *Status) SetLevel() {
	for _, l := range []trouble.Level{trouble.Well, trouble.Degraded, trouble.Standing} {
		if l.String() == s.Word {
			s.Level = l
		}
	}
}

// StreamStatus is how far a stream is projected.
type StreamStatus struct {
	query.Checkpoint
	Last  *uint64 `json:"last_seq"` // of the stream; absent when the log cannot be reached
	Bytes *uint64 `json:"bytes"`
	Gone  bool    `json:"gone"` // the log does not have it
}
