package lifecycle

import (
	"context"
	"log/slog"
	"time"

	"github.com/proctape/proctape/schema"
)

// Source says which processes of this machine start, execute and end. One goroutine uses it; no method except Wait waits
// for the kernel.
type Source interface {
	// Kind is the kind of the source.
	Kind() SourceKind
	// Wait returns when there is something for Poll to take in, at once when there is already. One other
	// goroutine may call it; that returns before Close. The error is not nil when ctx has ended, or when waiting is not
	// possible.
	Wait(ctx context.Context) error
	// Poll reads the kernel's events since the call before. Lossy says that some were lost: then a scan of /proc should
	// follow soon, so that Observe finds what was missed.
	Poll() (lossy bool, err error)
	// Observe takes in a scan of /proc. Poll comes between the scan and Observe, so that events of what the scan shows have
	// been read before. The first scan only shows which processes were there before.
	Observe(Scan)
	// Take returns, in order, the events up to the boot time until, in nanoseconds, and younger ones of which nothing more
	// can become known; and what was lost. It removes what it returns.
	Take(until int64) ([]schema.KindedEvent, []schema.Gap)
	// Close closes what the source holds open.
	Close() error
}

// SourceKind is a way of learning when processes start and end. Its value is that of the capability that snapshots list.
type SourceKind schema.Capability

// The kinds of sources, the best first.
const (
	KindBPF       = SourceKind(schema.CapEventsBPF)       // programs in the kernel: everything, with arguments, exit data and who sent a signal
	KindTaskstats = SourceKind(schema.CapEventsTaskstats) // proc connector and exit records: everything, with exit data
	KindConnector = SourceKind(schema.CapEventsConnector) // proc connector alone: everything; of ends the code only
	KindPidfd     = SourceKind(schema.CapEventsPidfd)     // what a listing of /proc shows, once a second; of ends the code
	KindDiff      = SourceKind(schema.CapEventsScan)      // what differs between two samples; no codes
)

// SourceKinds are all of them, in the order in which they are tried.
var SourceKinds = []SourceKind{KindBPF, KindTaskstats, KindConnector, KindPidfd, KindDiff}

// Capability is the capability that a source of the kind is.
func (k SourceKind) Capability() schema.Capability { return schema.Capability(k) }

// EventDelay is how long an event waits before it is taken, so that what belongs to it can arrive: an exit record, the
// command after an exec, the registration of a job.
const EventDelay = 200 * time.Millisecond

// Config is what a source needs. Describe may not be nil.
type Config struct {
	// Describe reads what can be known of a process that lives; ok is false when it is gone.
	Describe func(pid int) (d Description, ok bool)
	// Command renders a command line that a source has, with secrets masked. Without it [KindBPF] does not work.
	Command func(comm string, args []string) string
	Root    string       // where proc is mounted; default /proc
	Log     *slog.Logger // default slog.Default()
}

// Description is a process as /proc has it at this moment.
type Description struct {
	PPID       int
	StartTicks uint64 // as in schema.Process
	UID        schema.Opt[int64]
	Command    string // scrubbed
}
