package simulate

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/proctape/proctape/schema"
)

// Config says what to simulate. Every field but Churn, Jobs, Seed and Trouble is needed.
type Config struct {
	Hosts     int           // 1 to [MaxHosts]; they are named sim-0001 and so on
	Processes int           // of each host at any time; 1 to [schema.MaxProcesses]
	Interval  time.Duration // between two snapshots of a host; [MinInterval] to [MaxInterval]
	Churn     float64       // share of a host's processes that is replaced in a minute; 0 to [MaxChurn]
	Jobs      int           // that run on each host at any time; at most [MaxJobs] of Processes
	Seed      uint64
	Trouble   string // a kind of [Troubles] that each host has once; empty for none
	// Start is the wall time at which the first host takes its first snapshot. The others follow in the course of one
	// interval, as machines do that know nothing of each other.
	Start time.Time
}

// The bounds of a configuration.
const (
	MaxHosts    = 9999
	MinInterval = 100 * time.Millisecond // a sampler's
	MaxInterval = time.Hour
	MaxChurn    = 60 // everything, every second
)

// MaxJobs is how many jobs a host of so many processes has room for.
func MaxJobs(processes int) int { return max(0, processes-1) / smallestJob }

// FieldError is a field of a configuration whose value is out of its range.
type FieldError struct {
	Field string // as in [Config], in lower case
	Value any
	Want  string
}

// Error names the field, its value, and what it could be.
func (e *FieldError) Error() string {
	return fmt.Sprintf("%s %v is out of range: want %s", e.Field, e.Value, e.Want)
}

// Validate returns a *[FieldError] for the first field that is out of its range.
func (c Config) Validate() error {
	for _, f := range []struct {
		ok    bool
		field string
		value any
		want  string
	}{
		{c.Hosts >= 1 && c.Hosts <= MaxHosts, "hosts", c.Hosts, fmt.Sprintf("1 to %d", MaxHosts)},
		{c.Processes >= 1 && c.Processes <= schema.MaxProcesses, "processes", c.Processes, fmt.Sprintf("1 to %d", schema.MaxProcesses)},
		{c.Interval >= MinInterval && c.Interval <= MaxInterval, "interval", c.Interval, fmt.Sprintf("%s to %s", MinInterval, MaxInterval)},
		{c.Churn >= 0 && c.Churn <= MaxChurn, "churn", c.Churn, fmt.Sprintf("0 to %d", MaxChurn)},
		{c.Jobs >= 0 && c.Jobs <= MaxJobs(c.Processes), "jobs", c.Jobs,
			fmt.Sprintf("0 to %d on a host of %d processes", MaxJobs(c.Processes), c.Processes)},
		{c.Start.UnixNano() > 0, "start", c.Start, "a time after 1970"},
	} {
		if !f.ok {
			return &FieldError{f.field, f.value, f.want}
		}
	}
	return nil
}

// identity is what makes a host's messages its own. The boot id depends on the start too: a fleet that begins again
// has processes of the same pids, and they are not the old ones.
func identity(cfg *Config, host int) (bootID string, instance schema.Instance) {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d/%d/%d", cfg.Seed, host, cfg.Start.UnixNano()))
	b := sum[:16]
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // as in the kernel's random UUIDs (RFC 9562)
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:]), schema.Instance(sum[16:])
}

// randomOf is a host's own source of chance.
func randomOf(cfg *Config, host int) *rand.Rand {
	return rand.New(rand.NewPCG(cfg.Seed, uint64(host)))
}

// phase is how long after the fleet's start the host takes its first snapshot.
func (c *Config) phase(host int) time.Duration {
	return c.Interval * time.Duration(host) / time.Duration(c.Hosts)
}

// The number of processes of a job. The smallest is a root, a step and one worker.
const (
	smallestJob = 3
	largestJob  = 48
)
