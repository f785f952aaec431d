package lifecycle

import (
	"context"
	"log/slog"
	"time"

	"github.com/proctape/proctape/schema"
)

// Source tells what happens to the processes of this machine. One goroutine uses it; nothing in it but Wait waits for
// the kernel.
type Source interface {
	// Rung is which of the ways of watching this is.
	Kind() SourceKind
	// Wait returns when there is something for Poll to take in, at once when there is already. One goroutine may wait
	// beside the one that uses the source, and returns before Close. The error is not nil when ctx has ended, or when
	// nobody can wait here.
	Wait(ctx context.Context) error
	// Poll takes in what the kernel has told since the call before. It reports whether some of it was lost: then a
	// look at /proc should follow soon, for Observe to find what was missed.
	Poll() (lossy bool, err error)
	// Observe takes in a look at /proc. Poll comes between the look and Observe, so that whatever the look shows has
	// been told before, if it ever will be. The first look only teaches who was there before.
	Observe(Scan)
	// Take returns what happened, in order, and what was lost: of events up to the boot time until, in nanoseconds,
	// and of younger ones where nothing more can become known of them. What it returns it forgets.
	Take(until int64) ([]schema.KindedEvent, []schema.Gap)
	// Close lets go of what the source holds.
	Close() error
}

// SourceKind is a way of learning when processes start and end. Its value is that of the capability that snapshots list.
type SourceKind schema.Capability

// The kinds of sources, the best first.
const (
	KindTaskstats = SourceKind(schema.CapEventsTaskstats) // proc connector and exit records: everything, with exit data
	KindConnector = SourceKind(schema.CapEventsConnector) // proc connector alone: everything; of ends the code only
	KindPidfd     = SourceKind(schema.CapEventsPidfd)     // what a listing of /proc shows, once a second; of ends the code
	KindDiff      = SourceKind(schema.CapEventsScan)      // what differs between two samples; no codes
)

// SourceKinds are all of them, in the order in which they are tried.
var SourceKinds = []SourceKind{KindTaskstats, KindConnector, KindPidfd, KindDiff}

// Capability is the capability that a source of the kind is.
func (k SourceKind) Capability() schema.Capability { return schema.Capability(k) }

// EventDelay is how long an event may wait before it is taken, so that what belongs to it can come: an exit record, the
// command after an exec, the registration of a job.
const EventDelay = 200 * time.Millisecond

// Config is what a source needs. Describe may not be nil.
type Config struct {
	// Describe reads what can be known of a process that lives; ok is false when it is gone.
	Describe func(pid int) (d Description, ok bool)
	Root     string       // where proc is mounted; default /proc
	Log      *slog.Logger // default slog.Default()
}

// Description is a process as /proc has it at this moment.
type Description struct {
	PPID       int
	StartTicks uint64 // as in schema.Process
	UID        schema.Opt[int64]
	Command    string // scrubbed
}
