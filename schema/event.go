package schema

// MaxEvents is the most items that one message of events may hold. Events travel in batches, because every message
// costs the log an fsync.
const MaxEvents = 512

// Event is one step in a process's life. The kind of the message says which: spawn, exit, signal, kill or oom. Exec has a
// record of its own, [Exec].
type Event struct {
	Wall       int64      `json:"wall_ns"`      // Unix nanoseconds
	Boot       int64      `json:"boot_ns"`      // nanoseconds of CLOCK_BOOTTIME
	PID        int        `json:"pid"`          // process id
	PPID       Opt[int64] `json:"ppid"`         // process id of the parent
	StartTicks uint64     `json:"start_ticks"`  // 0 when unknown
	UID        Opt[int64] `json:"uid"`          // effective user id
	Command    string     `json:"command"`      // command line, scrubbed
	JobID      string     `json:"job_id"`       // the job; empty for none
	Sheet      Opt[int64] `json:"sheet_num"`    // the job's step (sheet)
	ExitCode   Opt[int64] `json:"exit_code"`    // 0 to 255; unknown when a signal ended the process or the source cannot see it
	Signal     Opt[int64] `json:"signal_num"`   // the signal that ended the process
	Core       bool       `json:"core"`         // the signal was one that dumps core
	CPUMillis  Opt[int64] `json:"cpu_ms"`       // user and system time of the whole life
	PeakRSS    Opt[int64] `json:"peak_rss_kib"` // most resident memory
	ReadKiB    Opt[int64] `json:"read_kib"`     // read from storage in the whole life
	WriteKiB   Opt[int64] `json:"write_kib"`    // written to storage in the whole life
	Lifetime   Opt[int64] `json:"lifetime_ms"`  // from start to end
	Source     string     `json:"source"`       // who saw it: bpf, taskstats, connector, pidfd, proc-diff, or scan (a scan of /proc, after another source missed it)
	Details    string     `json:"details"`      // text for people
	// SampledCPU is how much of CPUMillis the sampler's snapshots already have. The process used the remainder after the
	// last of them.
	SampledCPU Opt[int64] `json:"sampled_cpu_ms"`
	Fleet      bool       `json:"fleet,omitzero"` // the job is one of the fleet, and not this host's own
	// Within says that nobody saw the end itself: it came within so many milliseconds before the event's time. Then CPUMillis, ReadKiB
	// and WriteKiB are what was known before, and so at least that; Lifetime is at most that. Unknown where the end was seen.
	Within Opt[int64] `json:"within_ms,omitzero"`
	System Opt[int64] `json:"system_cpu_ms,omitzero"` // of cpu_ms, what the kernel used on its behalf, as clock ticks found it there
}

// SentBy is how the details of an exit begin of which it is known who sent the signal that ended the process.
const SentBy = "sent by "

// KindedEvent is an event and its kind, which is one of those with [Kind.IsEvent]. An exec travels as an [Exec]; see
// [ExecOf] for which fields it keeps.
type KindedEvent struct {
	Kind  Kind
	Event Event
}

// Exec says that a process that was known began to execute another program (man execve(2)). What a process executes right
// after its fork is told by its spawn, and is no Exec. Execs are not in the table process_events.
type Exec struct {
	Wall       int64      `json:"wall_ns"`        // Unix nanoseconds
	Boot       int64      `json:"boot_ns"`        // nanoseconds of CLOCK_BOOTTIME
	PID        int        `json:"pid"`            // process id
	StartTicks uint64     `json:"start_ticks"`    // of the process, which an exec does not change; 0 when unknown
	UID        Opt[int64] `json:"uid"`            // after the exec, which may change it
	Command    string     `json:"command"`        // the new command line, scrubbed; empty when it could not be read in time
	JobID      string     `json:"job_id"`         // the job; empty for none
	Sheet      Opt[int64] `json:"sheet_num"`      // the job's step (sheet)
	Source     string     `json:"source"`         // who saw it: bpf or connector
	Fleet      bool       `json:"fleet,omitzero"` // the job is one of the fleet, and not this host's own
}

// ExecOf is the exec that an event of [KindExec] stands for.
func ExecOf(e *Event) Exec {
	return Exec{Wall: e.Wall, Boot: e.Boot, PID: e.PID, StartTicks: e.StartTicks, UID: e.UID, Command: e.Command,
		JobID: e.JobID, Sheet: e.Sheet, Source: e.Source, Fleet: e.Fleet}
}

// Gap is a hole that the producer itself knows of: not everything that happened on its host in this span is recorded.
type Gap struct {
	Kind     GapKind    `json:"kind"`         // what the message holds, as in its subject
	Count    Opt[int64] `json:"count"`        // items lost; unknown when the source cannot count them
	FromWall int64      `json:"from_wall_ns"` // since when, Unix nanoseconds
	ToWall   int64      `json:"to_wall_ns"`   // until when, Unix nanoseconds
	Details  string     `json:"details"`      // text for people
}

// JobEventType says what happened to a job.
type JobEventType string

// The types of job events.
const (
	JobDeclared     JobEventType = "declared"
	JobSheetStarted JobEventType = "sheet_started"
	JobSheetEnded   JobEventType = "sheet_ended"
	JobProgressed   JobEventType = "progress"
	JobEnded        JobEventType = "ended"
)

// JobEvent is what a conductor, or proctape run, announces about a job: one of the envelope's host, or of the fleet when the
// host is [Fleet].
type JobEvent struct {
	Type          JobEventType `json:"type"`                 // declared, sheet_started, sheet_ended, progress or ended
	Wall          int64        `json:"wall_ns"`              // Unix nanoseconds
	JobID         string       `json:"job_id"`               // the job; empty for none
	Sheet         Opt[int64]   `json:"sheet_num"`            // the job's step (sheet)
	TotalSheets   Opt[int64]   `json:"total_sheets"`         // steps that the job has
	LastCompleted Opt[int64]   `json:"last_completed_sheet"` // the last step that is done
	Status        string       `json:"status"`               // a word, such as running or failed
	PID           Opt[int64]   `json:"pid"`                  // root of the job's process tree on the envelope's host
	StartTicks    uint64       `json:"start_ticks"`          // when the process started, hundredths of a second after boot; 0 when unknown
	ExitCode      Opt[int64]   `json:"exit_code"`            // 0 to 255; what some conductors write for a signal, -9, is taken too
	Command       string       `json:"command"`              // command line, scrubbed
	Details       string       `json:"details"`              // text for people
	// Supervisor says that PID is the parent of the job's processes and does not belong to the job itself.
	Supervisor bool `json:"supervisor,omitzero"`
	// OwnEvents says that the sender itself publishes the starts and ends of the job's processes.
	OwnEvents bool `json:"own_events,omitzero"`
	// UID is the user whose processes may join the fleet's job by its name, on every host; root's may in any case. It counts in
	// an event of the fleet alone: the user of a host's job is read from the process that PID names.
	UID Opt[int64] `json:"uid"`
	// Run is the run that the event is about. Whoever declares a run draws its id and sends it with all that follows. Absent: the
	// run of the job that was declared last.
	Run RunID `json:"run,omitzero"`
	// Join says that the sender declares a step, and no run of its own: the step is one of the run that is open, if one is.
	Join   bool       `json:"join,omitzero"`
	Signal Opt[int64] `json:"signal_num"` // the signal that ended the run or the step
	// Totals are what the run, or the step, used in all. Only the end of one has them.
	Totals *Totals `json:"totals,omitempty"`
	// Inferred says that the sender did not see it, and concludes it: a run whose process is gone has ended. What a conductor says
	// of the same replaces it.
	Inferred bool `json:"inferred,omitzero"`
	// Since is the earliest time at which it can have happened, Unix nanoseconds; unknown where it is known when it did.
	Since Opt[int64] `json:"since_ns"`
}
