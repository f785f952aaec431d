package schema

import "strconv"

// Version is the schema version this build writes. A message of a higher version is set aside, not guessed at.
const Version = 2

// Envelope is what every message carries around its body.
type Envelope struct {
	Version  int      `json:"v"`        // schema version, 2
	Kind     Kind     `json:"kind"`     // what the message holds, as in its subject
	Host     string   `json:"host"`     // the host that the message is of, as in its subject
	BootID   string   `json:"boot_id"`  // /proc/sys/kernel/random/boot_id
	Instance Instance `json:"instance"` // one life of the producer: 128 random bits
	// Seq is the number of the message's first item, counted per instance and kind from 1. A message holds the
	// items Seq, Seq+1, … Seq+Count()-1.
	Seq      uint64 `json:"seq"`
	Wall     int64  `json:"wall_ns"`           // Unix nanoseconds
	Boot     int64  `json:"boot_ns"`           // nanoseconds of CLOCK_BOOTTIME
	Produced uint64 `json:"produced"`          // items of all kinds that this instance has made, this message's included
	Dropped  []Drop `json:"dropped,omitempty"` // items that were made and could not be published, by reason
	Acked    uint64 `json:"acked,omitempty"`   // items that the log had acknowledged when the message was made
	// Ended are lives of the host's producers that have ended, and what each had reached. A producer tells it in every message
	// until the log has one of each stream that keeps something of that life. One that stops in order tells it of itself, in a
	// message of gaps that may have none.
	Ended []End `json:"ended,omitempty"`
	// Began is when a sampler began, in nanoseconds of CLOCK_BOOTTIME: told with exits, so that of two samplers under one name the
	// later one's sampled CPU counts. 0 is not told.
	Began int64 `json:"began_ns,omitempty"`
}

// Message is an envelope and the one body that its kind asks for.
type Message struct {
	Envelope
	Snapshot *Snapshot  `json:"snapshot,omitempty"`
	Events   []Event    `json:"events,omitempty"`
	Execs    []Exec     `json:"execs,omitempty"`
	Gaps     []Gap      `json:"gaps,omitempty"`
	Jobs     []JobEvent `json:"jobs,omitempty"`
	Rollup   *Rollup    `json:"rollup,omitempty"`
	Run      *RunRecord `json:"run,omitempty"`
	Anomaly  *Anomaly   `json:"anomaly,omitempty"`
}

// Count is the number of items the message holds; each has a number of its own.
func (m *Message) Count() uint64 {
	switch m.Kind.Body() {
	case BodyEvents:
		return uint64(len(m.Events))
	case BodyExecs:
		return uint64(len(m.Execs))
	case BodyGaps:
		return uint64(len(m.Gaps))
	case BodyJobs:
		return uint64(len(m.Jobs))
	}
	return 1
}

// ID is the message's Nats-Msg-Id: instance, kind and number. The server drops a second message of the same id
// within its window, the projector drops it for ever.
func (e *Envelope) ID() string {
	return e.Instance.String() + "." + string(e.Kind) + "." + strconv.FormatUint(e.Seq, 10)
}
