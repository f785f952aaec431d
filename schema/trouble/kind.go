// Package trouble says what goes wrong while proctape works, and when it is over: a [Reporter] has one line in the log when
// trouble begins and one when it ends, with how long it took and what it cost, and lists what goes on now for whoever asks.
package trouble

// Kind says what kind of trouble it is.
type Kind string

// The kinds of trouble. Each has an [Info] in [Kinds].
const (
	// What a part that works tells of itself.
	DiskFull     Kind = "disk_full"
	ReadOnly     Kind = "read_only"
	LogServer    Kind = "log_server"
	LogRefuses   Kind = "log_refuses"
	Losing       Kind = "losing"
	Projection   Kind = "projection"
	StreamGone   Kind = "stream_gone"
	Reader       Kind = "reader_waits"
	Retention    Kind = "retention"
	OverCap      Kind = "over_cap"
	Sampling     Kind = "sampling"
	Unreadable   Kind = "unreadable"
	Unwritten    Kind = "life_unwritten"
	TwoRecorders Kind = "two_recorders"
	NotTold      Kind = "not_told"

	// What is seen from outside.
	NoRecorder   Kind = "no_recorder"
	NoProjector  Kind = "no_projector"
	Starting     Kind = "starting"
	Stopped      Kind = "stopped"
	Stuck        Kind = "stuck"
	LogSilent    Kind = "log_silent"
	Behind       Kind = "behind"
	Queue        Kind = "queue"
	SilentHost   Kind = "silent_host"
	ClockStep    Kind = "clock_step"
	ClockDiffers Kind = "clock_differs"
	LateSamples  Kind = "late_samples"
	Losses       Kind = "losses"
	Quarantine   Kind = "quarantine"
	Proof        Kind = "proof"
)

// Level says how bad trouble is.
type Level int

// The levels, from good to bad.
const (
	Well     Level = iota
	Degraded       // it records, and something is missing, late or about to be
	Standing       // something that records or projects does not go on
)

// String is the word of a level: "well", "degraded" or "standing".
func (l Level) String() string { return [...]string{"well", "degraded", "standing"}[l] }

// Info describes a kind of trouble.
type Info struct {
	Kind   Kind
	Level  Level
	Doc    string // one line for people: what it means
	Remedy string // what to do about it
	// rank says what follows from what: a kind has no line of its own in the log while one of a lower rank goes on in the process
	// by which something stands.
	rank int
	over string // the line at its end; empty for a kind that no part reports
}

// kinds is the one list of kinds of trouble.
var kinds = [...]Info{
	{DiskFull, Standing, "the disk is full: nothing is stored, samples wait in memory",
		"Make room: as many bytes as are wanted. It goes on by itself then.", 0, "the disk has room again"},
	{ReadOnly, Standing, "the folder can no longer be written", "Make it writable. It goes on by itself then.", 0, "the folder can be written again"},
	{LogServer, Standing, "the log's server cannot do its work and is restarted in place",
		"Nothing at first. When it does not help, the recorder ends and says why.", 0, "the log can be written again"},
	{LogRefuses, Standing, "the log does not take messages: they wait in the sampler, after two seconds on its disk",
		"See that the server runs and can be reached.", 1, "the log takes messages again"},
	{Losing, Degraded, "the sampler drops items: the oldest, snapshots before events", "See why the log does not take messages.", 0, "nothing is dropped any more"},
	{Projection, Standing, "the log is not projected; it keeps what comes", "The reason says what to do.", 1, "the log is projected again"},
	{StreamGone, Standing, "a stream of the log is gone", "The recorder makes its own again. On another server, start a recorder or `proctape project`.", 0, "the stream is there again"},
	{Reader, Degraded, "a reader of the database holds a transaction open; projecting waits for it", "End that reader.", 0, "the reader is gone"},
	{Retention, Degraded, "what is too old is not taken away", "The reason says what to do.", 2, "retention works again"},
	{OverCap, Degraded, "the database is above its cap: the oldest goes before its time", "Raise `--max-db-mb`, or keep less.", 0, "the database is within its cap"},
	{Sampling, Degraded, "samples or events of this machine cannot be taken", "The reason says what to do.", 0, "it works again"},
	{Unreadable, Degraded, "messages that come cannot be read, or keys", "The reason says whose they are.", 0, "none came any more"},
	{Unwritten, Degraded, "what a sampler has made is not written down: if it is cut off now, what waits is lost, and nobody will know how much",
		"Make the folder `lives` of the data folder writable.", 1, "what the sampler has made is written down again"},
	{TwoRecorders, Degraded, "two samplers record under one name: each process counts once, by the sampler that began last", "Stop one, or give it another name: `--host`.", 0, "one sampler records under the name"},

	{NotTold, Degraded, "a receiver does not take notices of anomalies: they wait, or were given up", "The reason says why. `--notify` names the file with the receiver; docs/notify.md tells of it.", 0, "the receiver takes notices again"},

	{NoRecorder, Standing, "no recorder runs", "Start one: `proctape up`.", 0, ""},
	{NoProjector, Standing, "nobody projects the log into the database", "Start `proctape up` or `proctape project`.", 0, ""},
	{Starting, Degraded, "the recorder starts: it checks its log, or opens its database", "Wait. After ten minutes it counts as stuck.", 0, ""},
	{Stopped, Standing, "the recorder's process is stopped by a signal or a debugger", "Continue it: `kill -CONT PID`.", 0, ""},
	{Stuck, Standing, "the recorder runs and has not said for 20 seconds how it is", "See what it waits for: its log, the disk. Restart it.", 0, ""},
	{LogSilent, Standing, "the log does not answer", "See that its server runs.", 0, ""},
	{Behind, Degraded, "the database is more than 30 seconds behind the log", "Wait. When it does not move, `status` says that the projection stands.", 0, ""},
	{Queue, Degraded, "much waits in the sampler for the log", "See why the log takes so little.", 0, ""},
	{SilentHost, Degraded, "a host that was recorded has sent nothing for more than three of its periods, and no sampler said that it stops. After a day it counts as gone",
		"See whether the host and its sampler run. Stop a sampler with SIGTERM, and it is not missed.", 0, ""},
	{ClockStep, Degraded, "the clock of a host was set in the last hour", "Nothing. When it comes again and again, look at its time service.", 0, ""},
	{ClockDiffers, Degraded, "the clock of a host differs from the log's by more than 5 seconds", "Look at the time service of both.", 0, ""},
	{LateSamples, Degraded, "more than 5 % of a host's samples of the last hour were not taken in time", "Give the sampler more CPU, or lengthen the interval.", 0, ""},
	{Losses, Degraded, "something was lost in the last hour", "`proctape gaps` says what and why.", 0, ""},
	{Quarantine, Degraded, "messages of the last hour cannot be read", "`proctape quarantine list` shows them.", 0, ""},
	{Proof, Degraded, "what the database holds is not proven", "`proctape verify` says more.", 0, ""},
}

// Kinds returns all kinds of trouble: first those that a part tells of itself, then those that are seen from outside.
func Kinds() []Info { return append([]Info(nil), kinds[:]...) }

// Info returns what is known of a kind; ok is false for a kind that is not in [Kinds].
func (k Kind) Info() (info Info, ok bool) {
	for _, i := range kinds {
		if i.Kind == k {
			return i, true
		}
	}
	return Info{}, false
}
