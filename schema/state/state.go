// Package state is what a process that records or projects says of itself, and the small file beside its database in which
// another process finds it, also when the log, the disk or the process itself is stuck.
package state

import (
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/schema/durations"
	"github.com/proctape/proctape/schema/trouble"
)

// Process is what a process says of itself.
type Process struct {
	Command string `json:"command"` // up, project
	PID     int    `json:"pid"`
	Started int64  `json:"started_ns"` // Unix nanoseconds
	Said    Clock  `json:"said"`       // when this was said
	Ended   bool   `json:"ended"`      // it came to its end in order, and this is the last it says

	Memory   Memory            `json:"memory"`
	Troubles []trouble.Trouble `json:"troubles"`
	Sampler  *Sampler          `json:"sampler,omitempty"` // of this process; nil when it samples nothing
	Projects map[string]Place  `json:"projects,omitempty"`

	Commits  *durations.Histogram `json:"commit_seconds,omitempty"` // how long each commit of the database took; nil where none is written
	Programs *Programs            `json:"programs,omitempty"`       // that this process has in the kernel; nil for none
}

// Programs are what a process has loaded into the kernel.
type Programs struct {
	Programs int      `json:"programs"`
	Memory   int64    `json:"memory_bytes"`          // of programs and maps
	RunTime  *float64 `json:"run_seconds,omitempty"` // that the programs took; nil where the kernel does not count it
}

// Clock is a moment by both clocks of the machine.
type Clock struct {
	Wall   int64  `json:"wall_ns"` // Unix nanoseconds
	Boot   int64  `json:"boot_ns"` // nanoseconds of CLOCK_BOOTTIME
	BootID string `json:"boot_id"`
}

// Memory is the limit that a process keeps.
type Memory struct {
	Limit  int64  `json:"limit_bytes"` // of the Go heap and what belongs to it; 0 for none
	Reason string `json:"reason"`      // who says so
}

// Sampler is how far a sampler is. The counts are of items since its start.
type Sampler struct {
	Host         string           `json:"host"`
	Instance     string           `json:"instance"`
	Interval     int64            `json:"interval_ns"`
	Produced     uint64           `json:"produced"`
	Acked        uint64           `json:"acked"`
	Dropped      uint64           `json:"dropped"`
	Messages     int              `json:"waiting_messages"`
	Waiting      uint64           `json:"waiting_items"`
	WaitingBytes int64            `json:"waiting_bytes"`
	QueueBytes   int64            `json:"queue_bytes"` // that may wait
	Disk         Disk             `json:"on_disk"`     // what waits on disk, on top of that
	Last         map[string]int64 `json:"last_seq"`    // the last number of each kind

	Acks *durations.Histogram `json:"ack_seconds,omitempty"` // from publishing a message to the log's acknowledgement
}

// Disk is what waits on a sampler's disk for a log that cannot be reached, or is being caught up with.
type Disk struct {
	Messages int    `json:"messages"`
	Items    uint64 `json:"items"`
	Bytes    int64  `json:"bytes"` // of the files
}

// Place is how far a stream is projected.
type Place struct {
	Seq   uint64 `json:"seq"`
	Moved int64  `json:"moved_ns"` // Unix nanoseconds, when it last moved; 0 for never in this process's life
}

// Now reads the machine's clocks.
func Now() Clock {
	c := Clock{Wall: time.Now().UnixNano(), BootID: bootID()}
	var ts unix.Timespec
	if unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) == nil {
		c.Boot = ts.Nano()
	}
	return c
}

// bootID is the id of this boot of the machine, random(4); empty when it cannot be read.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// Since is how long ago another moment of this machine was: by the boot clock, which nobody sets, or after a reboot by the
// wall clock.
func (c Clock) Since(before Clock) time.Duration {
	if c.BootID == before.BootID {
		return time.Duration(c.Boot - before.Boot)
	}
	return time.Duration(c.Wall - before.Wall)
}
