package schema

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// RunID names one run, which is one execution of a job: 128 random bits drawn by whoever declares it. The zero RunID names none.
type RunID [16]byte

// NewRunID draws an id.
func NewRunID() RunID {
	var r RunID
	rand.Read(r[:]) // never fails: crypto/rand ends the program instead
	return r
}

// RunIDOf is the id of a run that was declared without one: it follows from the message that declares it, so every database
// gives the same.
func RunIDOf(i Instance, item uint64) RunID {
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(append([]byte("run\x00"), i[:]...), item))
	return RunID(sum[:16])
}

// ParseRunID reads 32 hexadecimal digits.
func ParseRunID(s string) (r RunID, err error) { return r, r.UnmarshalText([]byte(s)) }

// String is the id in 32 hexadecimal digits.
func (r RunID) String() string { return hex.EncodeToString(r[:]) }

// IsZero reports whether the id names no run.
func (r RunID) IsZero() bool { return r == RunID{} }

// MarshalText is [RunID.String].
func (r RunID) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads 32 hexadecimal digits.
func (r *RunID) UnmarshalText(b []byte) error {
	if len(b) != 2*len(r) {
		return fmt.Errorf("run %.80q: want %d hexadecimal digits", b, 2*len(r))
	}
	if _, err := hex.Decode(r[:], b); err != nil {
		return fmt.Errorf("run %q: %w", b, err)
	}
	return nil
}

// TotalSource says where a figure of a run's totals is from.
type TotalSource string

// The sources of totals, the best first.
const (
	FromGroup   TotalSource = "cgroup"  // counters of the run's control group
	FromWait    TotalSource = "wait4"   // wait4(2) of the run's command and of what it waited for
	FromExits   TotalSource = "exits"   // the sum of what the ends of processes tell
	FromSamples TotalSource = "samples" // counters of processes while they lived
	FromNowhere TotalSource = ""        // the figure is not known
)

// Totals are what a run, or a step of one, used in all, as its conductor knows it. A figure of which the source is empty is
// not known.
type Totals struct {
	CPUMicros  Opt[int64]  `json:"cpu_us"`                 // user and system time, microseconds
	CPUSource  TotalSource `json:"cpu_source"`             // where cpu_us is from: cgroup, wait4, exits or samples
	PeakRSS    Opt[int64]  `json:"peak_rss_kib"`           // most resident memory of one process
	PeakSource TotalSource `json:"peak_source"`            // where peak_rss_kib is from: wait4, exits or samples
	GroupPeak  Opt[int64]  `json:"group_peak_kib"`         // most memory of all processes at one time, page cache included, by the control group
	ReadKiB    Opt[int64]  `json:"read_kib"`               // read from storage
	WriteKiB   Opt[int64]  `json:"write_kib"`              // written to storage
	IOSource   TotalSource `json:"io_source"`              // where read_kib and write_kib are from: cgroup or exits
	PIDsPeak   Opt[int64]  `json:"pids_peak"`              // most tasks at one time, threads included, by the control group
	Processes  Opt[int64]  `json:"processes"`              // processes that there were in all
	System     Opt[int64]  `json:"system_cpu_us,omitzero"` // of cpu_us, what the kernel used on their behalf; the remainder they used themselves
}
