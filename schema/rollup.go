package schema

import (
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/proctape/proctape/schema/metric"
)

// Rollup is one minute of a host, made of the snapshots of that minute that left full resolution. A rollup of more
// snapshots replaces one of the same minute that has fewer.
type Rollup struct {
	Minute        int64           `json:"minute_ns"`        // start of the minute, Unix nanoseconds
	Samples       int64           `json:"samples"`          // snapshots in it
	Covers        []Cover         `json:"covers"`           // which snapshots
	Interval      int64           `json:"interval_ns"`      // the sampler's period
	DaemonPID     int             `json:"daemon_pid"`       // pid of the sampler
	DaemonRSS     uint64          `json:"daemon_rss_kib"`   // most
	CPUs          int             `json:"cpus"`             // processors online
	MemoryTotal   uint64          `json:"memory_total_kib"` // of the host
	MemoryUsed    Spread          `json:"memory_used_kib"`  // in use
	Load1         Spread          `json:"load1_x100"`       // load average over 1 minute, in hundredths
	Load5         int64           `json:"load5_x100"`       // last
	Load15        int64           `json:"load15_x100"`      // last
	CPU           Spread          `json:"cpu_permille"`     // of all processes, thousandths of a core
	ProcessCount  int64           `json:"process_count"`    // most at once
	Zombies       int64           `json:"zombie_count"`     // most at once
	PressureLevel string          `json:"pressure_level"`   // worst
	RunningJobs   int64           `json:"running_jobs"`     // most at once
	ActiveSheets  int64           `json:"active_sheets"`    // most at once
	Partial       bool            `json:"partial"`          // some snapshot did not see every process
	GPUs          []GPU           `json:"gpus,omitempty"`   // most of each
	Processes     []ProcessRollup `json:"processes"`        // by pid, rising
}

// Cover is a span of the snapshots of one instance of a producer.
type Cover struct {
	Instance Instance `json:"instance"`  // one life of the producer: 128 random bits
	First    uint64   `json:"first_seq"` // number of the first snapshot
	Last     uint64   `json:"last_seq"`  // number of the last snapshot
}

// Has reports whether the span holds a snapshot.
func (c Cover) Has(i Instance, seq uint64) bool {
	return c.Instance == i && c.First <= seq && seq <= c.Last
}

// RollupInstance returns the identity under which every database publishes the rollup of a host's minute: rollups of
// the same snapshots are one message. The message's number is the count of snapshots.
func RollupInstance(host string, minute int64, covers []Cover) Instance {
	b := append([]byte("rollup\x00"), host...)
	b = binary.BigEndian.AppendUint64(append(b, 0), uint64(minute))
	for _, c := range covers {
		b = append(b, c.Instance[:]...)
		b = binary.BigEndian.AppendUint64(b, c.First)
		b = binary.BigEndian.AppendUint64(b, c.Last)
	}
	sum := sha256.Sum256(b)
	return Instance(sum[:16])
}

// MinuteOf returns the start of the minute that holds a wall time, both in Unix nanoseconds.
func MinuteOf(wall int64) int64 { return wall - wall%int64(time.Minute) }

// Last returns one of metric.Lasts.
func (p *ProcessRollup) Last(id metric.ID) Opt[int64] { return optNumber(p.last(id)) }

// SetLast sets one of metric.Lasts.
func (p *ProcessRollup) SetLast(id metric.ID, v Opt[int64]) { p.setLast(id, orUnknown(v)) }
