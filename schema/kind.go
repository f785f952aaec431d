package schema

import "strings"

// Kind says what a message holds. It is also the end of the message's subject.
type Kind string

// The kinds of messages. Each has a [KindInfo] in [Kinds].
const (
	KindSnapshot Kind = "snapshot"
	KindSpawn    Kind = "event.spawn"
	KindExec     Kind = "event.exec"
	KindExit     Kind = "event.exit"
	KindSignal   Kind = "event.signal"
	KindKill     Kind = "event.kill"
	KindOOM      Kind = "event.oom"
	KindGap      Kind = "event.gap"
	KindJob      Kind = "job"
	KindRollup   Kind = "rollup"
	KindRun      Kind = "run"
	KindAnomaly  Kind = "anomaly.custom" // of a rule that names no type; every anomaly.<type> is a kind like it
)

// Body says which field of a [Message] a kind fills.
type Body uint8

// The bodies. The zero Body is that of a kind that does not exist.
const (
	BodySnapshot Body = iota + 1 // Message.Snapshot
	BodyEvents                   // Message.Events
	BodyExecs                    // Message.Execs
	BodyGaps                     // Message.Gaps
	BodyJobs                     // Message.Jobs
	BodyRollup                   // Message.Rollup
	BodyRun                      // Message.Run
	BodyAnomaly                  // Message.Anomaly
)

// KindInfo describes a kind.
type KindInfo struct {
	Kind Kind
	Body Body
	// EventType is the event_type of the table process_events; empty for a kind whose items are not in that table.
	EventType string
	Doc       string // one line for people
}

// kinds is the one list of kinds. Its order is that in which a producer publishes what it learnt at one time: who reads
// along meets a process before its end.
var kinds = [...]KindInfo{
	{KindSnapshot, BodySnapshot, "", "a host and all its processes at one moment"},
	{KindSpawn, BodyEvents, "spawn", "a process started"},
	{KindExec, BodyExecs, "", "a process that was known began to execute another program"},
	{KindExit, BodyEvents, "exit", "a process ended, in whatever way"},
	{KindSignal, BodyEvents, "signal", "beside an exit: a signal other than 9 ended the process"},
	{KindKill, BodyEvents, "kill", "beside an exit: signal 9 ended the process"},
	{KindOOM, BodyEvents, "oom", "beside an exit: the kernel killed the process for want of memory"},
	{KindGap, BodyGaps, "", "something that the producer knows to be missing"},
	{KindJob, BodyJobs, "", "what a conductor, or proctape run, says of a job"},
	{KindRollup, BodyRollup, "", "one minute of a host, in place of its snapshots"},
	{KindRun, BodyRun, "", "a run with its number, and with its totals when it has ended"},
	{KindAnomaly, BodyAnomaly, "", "an episode: what a rule found, from its start to its end"},
}

// Kinds are all kinds, in the order in which a producer publishes what it learnt at one time. The caller may change the
// slice.
func Kinds() []KindInfo { return append([]KindInfo(nil), kinds[:]...) }

var kindInfos = func() map[Kind]*KindInfo {
	m := make(map[Kind]*KindInfo, len(kinds))
	for i := range kinds {
		m[kinds[i].Kind] = &kinds[i]
	}
	return m
}()

// EventKinds are the kinds whose items are rows of the table process_events, by their event_type.
var EventKinds = func() map[string]Kind {
	m := map[string]Kind{}
	for _, k := range kinds {
		if k.EventType != "" {
			m[k.EventType] = k.Kind
		}
	}
	return m
}()

// Body is the field of a message that the kind fills; 0 for a kind that does not exist.
func (k Kind) Body() Body {
	if info := kindInfos[k]; info != nil {
		return info.Body
	}
	if k.AnomalyType() != "" {
		return BodyAnomaly
	}
	return 0
}

// EventType is the event_type of the table process_events: "spawn" for [KindSpawn]. It is empty for a kind whose items are
// not in that table.
func (k Kind) EventType() string {
	if info := kindInfos[k]; info != nil {
		return info.EventType
	}
	return ""
}

// IsEvent reports whether the kind's items are steps in a process's life: the five event types, and exec.
func (k Kind) IsEvent() bool { b := k.Body(); return b == BodyEvents || b == BodyExecs }

// IsNumbered reports whether a producer numbers the kind's items one after another, so that a number which does not come is a gap. Rollups,
// records of runs and episodes are named by what they say: databases make them.
func (k Kind) IsNumbered() bool {
	switch k.Body() {
	case BodyRollup, BodyRun, BodyAnomaly:
		return false
	}
	return true
}

// IsExec reports whether the kind's items are [Exec]s. They are not in the table process_events.
func (k Kind) IsExec() bool { return k.Body() == BodyExecs }

// anomalyPrefix begins the kinds of anomalies.
const anomalyPrefix = "anomaly."

// AnomalyKind is the kind of the messages of episodes of a type, which [ValidAnomalyType] allows.
func AnomalyKind(typ string) Kind { return Kind(anomalyPrefix + typ) }

// AnomalyType is the type of the anomalies of a kind: memory_spike of anomaly.memory_spike. It is empty for any other kind.
func (k Kind) AnomalyType() string {
	if typ, ok := strings.CutPrefix(string(k), anomalyPrefix); ok && ValidAnomalyType(typ) {
		return typ
	}
	return ""
}

// ValidAnomalyType reports whether s can be the type of an anomaly: 1 to 64 of a-z 0-9 _.
func ValidAnomalyType(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}
