// Package lifecycle says when processes start, execute and end: the kernel's events and scans of the process table go in,
// spawns, execs and exits come out.
package lifecycle

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/proctape/proctape/schema"
)

// SourceDiff is the source that the events of a [Diff] name.
const SourceDiff = "proc-diff"

// Diff finds starts and ends by comparing each scan with the one before. It works for every user and in every
// container; it cannot see a process that lives between two scans, nor how a process ended.
type Diff struct {
	seen   map[int]schema.Process
	last   int64 // boot time of the scan before
	events []schema.KindedEvent
}

// NewDiff returns a Diff that has seen nothing: its first scan only shows which processes are there.
func NewDiff() *Diff { return &Diff{} }

// Kind is [KindDiff].
func (d *Diff) Kind() SourceKind { return KindDiff }

// Wait returns when ctx ends: a Diff learns from scans alone.
func (d *Diff) Wait(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Poll does nothing: a Diff learns from scans alone.
func (d *Diff) Poll() (lossy bool, err error) { return false, nil }

// Take returns what the scans since the call before have shown, whatever until is: nothing more will become known of them.
func (d *Diff) Take(int64) ([]schema.KindedEvent, []schema.Gap) {
	occurred := d.events
	d.events = nil
	return occurred, nil
}

// Close does nothing: a Diff holds nothing open.
func (d *Diff) Close() error { return nil }

// Observe finds a spawn for each process that is new since the scan before and an exit for each that is gone. A pid
// that now belongs to another process is both.
func (d *Diff) Observe(scan Scan) {
	first := d.seen == nil
	now := make(map[int]schema.Process, len(scan.Processes))
	var spawns, exits []schema.KindedEvent
	for _, p := range scan.Processes {
		now[p.PID] = p
		old, known := d.seen[p.PID]
		if known && old.StartTicks == p.StartTicks {
			delete(d.seen, p.PID) // what stays in seen has ended
			continue
		}
		if !first {
			spawns = append(spawns, spawn(p, scan))
		}
	}
	// In the order of pids, as the scans are, so that the same scans give the same events.
	for _, pid := range slices.Sorted(maps.Keys(d.seen)) {
		exits = append(exits, exit(d.seen[pid], scan, time.Duration(scan.Boot-d.last)))
	}
	d.seen, d.last = now, scan.Boot
	d.events = slices.Concat(d.events, exits, spawns) // an end comes before the start of the process that has the pid now
}

// spawn is placed at the process's own start, which is known to a hundredth of a second.
func spawn(p schema.Process, scan Scan) schema.KindedEvent {
	boot := int64(p.StartTicks) * int64(time.Second/schema.TicksPerSecond)
	e := describe(p)
	e.Boot, e.Wall = boot, scan.Wall-(scan.Boot-boot)
	e.Details = "seen by comparing two scans of /proc"
	return schema.KindedEvent{Kind: schema.KindSpawn, Event: e}
}

// exit is placed at the scan that lacks the process: when in the interval it ended is not known.
func exit(p schema.Process, scan Scan, since time.Duration) schema.KindedEvent {
	e := describe(p)
	e.Boot, e.Wall = scan.Boot, scan.Wall
	e.Within = schema.Some(upToMillis(since))
	e.CPUMillis = schema.Some(int64(p.CPUMillis))
	e.ReadKiB, e.WriteKiB = p.ReadKiB, p.WriteKiB
	e.Details = fmt.Sprintf("ended in the last %s, seen by comparing two scans of /proc; exit code unknown",
		since.Round(10*time.Millisecond))
	return schema.KindedEvent{Kind: schema.KindExit, Event: e}
}

// upToMillis is a duration in whole milliseconds, rounded up, at least 1.
func upToMillis(d time.Duration) int64 {
	return max(1, int64((d+time.Millisecond-1)/time.Millisecond))
}

func describe(p schema.Process) schema.Event {
	return schema.Event{
		PID: p.PID, PPID: schema.Some(int64(p.PPID)), StartTicks: p.StartTicks, UID: p.UID, Command: p.Command,
		JobID: p.JobID, Sheet: p.Sheet, Source: SourceDiff,
	}
}
