package why

import "github.com/proctape/proctape/query"

// Story is what is known of one process.
type Story struct {
	Process query.Life `json:"process"`
	// Others counts the other processes that had the pid; the story is of the one that was seen last.
	Others  int      `json:"other_lives"`
	Cause   Cause    `json:"cause"`
	Verdict string   `json:"verdict"` // in one sentence, what it came to
	Moments []Moment `json:"moments"` // of its life, oldest first
	// Shortage is who had memory when this process was killed for want of it; nil when it was not.
	Shortage *Shortage `json:"shortage"`
	Used     Used      `json:"used"`
	Unknown  []string  `json:"unknown_of_it"` // what of its life is not known, in words
	// Coverage is how much is known of its host while it lived.
	Coverage []query.Coverage `json:"coverage"`
}

// Cause is what a process died of.
type Cause string

// The causes.
const (
	Alive       Cause = "alive"         // it is in the newest snapshot of its host
	NotKnown    Cause = "not_known"     // it is gone, and how is not recorded
	Ended       Cause = "ended"         // with code 0
	Failed      Cause = "failed"        // with another code
	Signalled   Cause = "signalled"     // by a signal
	OutOfMemory Cause = "out_of_memory" // killed by the kernel, which says so
)

// Used is what a process used in its life, as far as it is known.
type Used struct {
	CPUSeconds *float64 `json:"cpu_seconds"`
	PeakRSS    *float64 `json:"peak_rss_mb"`
	Read       *float64 `json:"read_mb"`
	Write      *float64 `json:"write_mb"`
	Lifetime   *float64 `json:"lifetime_seconds"`
	Source     string   `json:"source"` // exit: the kernel's account at its end; samples: the largest that a sample showed
}

// Moment is one thing that happened in a life, or because of its end.
type Moment struct {
	Timestamp float64 `json:"timestamp"` // Unix seconds
	Kind      string  `json:"kind"`      // born, seen, exec, largest, death or after
	PID       int64   `json:"pid"`       // whom it happened to
	Text      string  `json:"text"`
}

// Shortage is who had memory when a process was killed for want of it. Memory is resident, in MiB; pages that processes share
// count for each.
type Shortage struct {
	Group       *string  `json:"cgroup"`      // of the process that was killed; nil when it is not known
	From        float64  `json:"from_time"`   // of the two snapshots that are compared, Unix seconds
	To          float64  `json:"to_time"`     // the newest before the death
	InGroup     []Holder `json:"in_group"`    // the largest first; empty when the group is not known
	OnMachine   []Holder `json:"on_machine"`  // the largest first
	GroupCount  int      `json:"group_count"` // of processes in the group, and on the machine
	Count       int      `json:"machine_count"`
	GroupRSS    float64  `json:"group_rss_mb"`
	MachineUsed float64  `json:"system_memory_used_mb"`
	MachineSize float64  `json:"system_memory_total_mb"`
}

// Holder is a process that had memory.
type Holder struct {
	PID     int64    `json:"pid"`
	Command string   `json:"command"`
	Before  *float64 `json:"before_mb"`   // nil when it was not there
	RSS     float64  `json:"rss_mb"`      // in the newest snapshot before the death
	Growth  *float64 `json:"growth_mb_s"` // a second; nil when it was not there before
	Victim  bool     `json:"victim"`      // it is the one that was killed
}
