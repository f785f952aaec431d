// Package simulate makes the messages of hosts that do not exist: a configuration goes in, and out come the snapshots
// and events that samplers on so many machines would publish.
//
// A [Fleet] is a pure function of its [Config]: it has no clock and does no I/O, so that a test can have a month of
// messages in seconds, the same ones every time. [Run] publishes a fleet's messages through a connection, as they come
// due or as fast as the log takes them.
//
// # What is simulated
//
// Every host has a tree of services, sessions and jobs. Most processes sleep, some use a little, few are busy. A job
// has numbered steps; a step is over when so many of its processes have come and gone, and all that are left of it end
// then. Pids rise and begin again at the bottom, so they are used more than once. What a process used adds up: its
// CPU time is what the permilles of the intervals come to, and all processes of a host together never use more than
// the host has.
package simulate

import (
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/proctape/proctape/schema"
)

// Config says what to simulate. Every field but Churn, Jobs and Seed is needed.
type Config struct {
	Hosts     int           // 1 to [MaxHosts]; they are named sim-0001 and so on
	Processes int           // of each host at any time; 1 to [schema.MaxProcesses]
	Interval  time.Duration // between two snapshots of a host; [MinInterval] to [MaxInterval]
	Churn     float64       // share of a host's processes that is replaced in a minute; 0 to [MaxChurn]
	Jobs      int           // that run on each host at any time; at most [MaxJobs] of Processes
	Seed      uint64
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

// FieldError is a field of a configuration whose value cannot be.
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

// Fleet is hosts that do not exist. It is for one goroutine; two fleets share nothing.
type Fleet struct {
	cfg     Config
	hosts   []*Host
	scratch scratch
}

// NewFleet makes the hosts as they are before their first snapshot.
func NewFleet(cfg Config) (*Fleet, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	f := &Fleet{cfg: cfg, hosts: make([]*Host, cfg.Hosts)}
	for i := range f.hosts {
		f.hosts[i] = newHost(&f.cfg, i, &f.scratch)
	}
	return f, nil
}

// Host returns host i, from 0.
func (f *Fleet) Host(i int) *Host { return f.hosts[i] }

// Len is how many hosts there are.
func (f *Fleet) Len() int { return len(f.hosts) }

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
