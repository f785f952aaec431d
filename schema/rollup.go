package schema

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"
)

// Rollup is one minute of a host, made of the snapshots of that minute that left full resolution. A rollup of more
// snapshots replaces one of the same minute that has fewer.
type Rollup struct {
	Minute        int64           `json:"minute_ns"` // start of the minute, Unix nanoseconds
	Samples       int64           `json:"samples"`   // snapshots in it
	Covers        []Cover         `json:"covers"`    // which snapshots
	Interval      int64           `json:"interval_ns"`
	DaemonPID     int             `json:"daemon_pid"`
	DaemonRSS     uint64          `json:"daemon_rss_kib"` // most
	CPUs          int             `json:"cpus"`
	MemoryTotal   uint64          `json:"memory_total_kib"`
	MemoryUsed    Spread          `json:"memory_used_kib"`
	Load1         Spread          `json:"load1_x100"`
	Load5         int64           `json:"load5_x100"`  // last
	Load15        int64           `json:"load15_x100"` // last
	CPU           Spread          `json:"cpu_permille"`
	ProcessCount  int64           `json:"process_count"`  // most at once
	Zombies       int64           `json:"zombie_count"`   // most at once
	PressureLevel string          `json:"pressure_level"` // worst
	RunningJobs   int64           `json:"running_jobs"`   // most at once
	ActiveSheets  int64           `json:"active_sheets"`  // most at once
	Partial       bool            `json:"partial"`        // some snapshot did not see every process
	GPUs          []GPU           `json:"gpus,omitempty"` // most of each
	Processes     []ProcessRollup `json:"processes"`
}

// Cover is a span of the snapshots of one instance of a producer.
type Cover struct {
	Instance Instance `json:"instance"`
	First    uint64   `json:"first_seq"`
	Last     uint64   `json:"last_seq"`
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

// Spread is the distribution of a value over a minute. Spreads of parts of a minute merge into exactly the spread of the
// whole.
type Spread struct {
	Samples int64   `json:"samples"` // known values in it; when it is 0, the other fields mean nothing
	Sum     int64   `json:"sum"`
	Max     int64   `json:"max"`
	P95     int64   `json:"p95"`           // the value that 95 % of the samples do not exceed, by nearest rank
	Top     []int64 `json:"top,omitempty"` // the second largest, the third, and so on: as many as P95 can need
}

// Mean returns the mean of the samples, rounded, or 0 when there are none.
func (s *Spread) Mean() int64 {
	if s.Samples == 0 {
		return 0
	}
	return (2*s.Sum + s.Samples) / (2 * s.Samples)
}

// SpreadOf returns the spread of some values of a minute that has about expected samples. It sorts the values.
func SpreadOf(values []int64, expected int64) Spread {
	if len(values) == 0 {
		return Spread{}
	}
	slices.SortFunc(values, func(a, b int64) int { return cmp.Compare(b, a) })
	s := Spread{Samples: int64(len(values))}
	for _, v := range values {
		s.Sum += v
	}
	s.setTop(values, expected)
	return s
}

// MergeSpreads returns the spread of all values of both.
func MergeSpreads(a, b Spread, expected int64) Spread {
	if a.Samples == 0 || b.Samples == 0 {
		if a.Samples == 0 {
			return b
		}
		return a
	}
	top := slices.Concat([]int64{a.Max}, a.Top, []int64{b.Max}, b.Top)
	slices.SortFunc(top, func(a, b int64) int { return cmp.Compare(b, a) })
	s := Spread{Samples: a.Samples + b.Samples, Sum: a.Sum + b.Sum}
	s.setTop(top, expected)
	return s
}

// setTop keeps those of the largest values, sorted downward, that P95 can need when the minute is whole.
func (s *Spread) setTop(largest []int64, expected int64) {
	rank := func(n int64) int { return int(min(n/20, int64(len(largest)-1), MaxTop)) } // from the largest, which is 0
	s.Max, s.P95 = largest[0], largest[rank(s.Samples)]
	if last := rank(max(s.Samples, expected)); last > 0 {
		s.Top = slices.Clone(largest[1 : last+1])
	}
}

// MaxTop is the most values that a spread keeps beside the largest: enough for ten samples a second.
const MaxTop = 32

// ProcessRollup is one process, under one description, in one minute.
type ProcessRollup struct {
	PID        int        `json:"pid"`
	PPID       int        `json:"ppid"`
	StartTicks uint64     `json:"start_ticks"`
	BootID     string     `json:"boot_id"`
	UID        Opt[int64] `json:"uid"`
	Command    string     `json:"command"`
	JobID      string     `json:"job_id"`
	Sheet      Opt[int64] `json:"sheet_num"`
	Samples    int64      `json:"samples"` // snapshots that had the process
	CPU        Spread     `json:"cpu_permille"`
	RSS        Spread     `json:"rss_kib"`
	LastBoot   int64      `json:"last_boot_ns"` // boot clock of the last snapshot that had it; the fields below are from that snapshot
	State      string     `json:"state"`
	VMS        Opt[int64] `json:"vms_kib"`
	Threads    int64      `json:"threads"`
	OpenFDs    Opt[int64] `json:"open_fds"`
	CPUMillis  uint64     `json:"cpu_ms"`
}
