package schema

import "strconv"

// Version is the schema version this build writes. A message of a higher version is set aside, not guessed at.
const Version = 1

// Kind says what a message holds. It is also the end of the message's subject.
type Kind string

// The kinds of messages.
const (
	KindSnapshot Kind = "snapshot"
	KindSpawn    Kind = "event.spawn"
	KindExit     Kind = "event.exit"
	KindSignal   Kind = "event.signal"
	KindKill     Kind = "event.kill"
	KindOOM      Kind = "event.oom"
	KindGap      Kind = "event.gap"
	KindJob      Kind = "job"
	KindRollup   Kind = "rollup"
)

// EventKinds are the kinds whose messages carry [Event]s, by the event type that the tables show.
var EventKinds = map[string]Kind{
	"spawn": KindSpawn, "exit": KindExit, "signal": KindSignal, "kill": KindKill, "oom": KindOOM,
}

// EventType is the table's event_type of a kind: "spawn" for [KindSpawn]. It is empty for a kind that carries no events.
func (k Kind) EventType() string {
	const prefix = "event."
	if k == KindGap || len(k) <= len(prefix) || k[:len(prefix)] != prefix {
		return ""
	}
	return string(k[len(prefix):])
}

// Drop counts items that a producer made and could not publish.
type Drop struct {
	Reason string `json:"reason"`
	Count  uint64 `json:"count"` // since the instance started
}

// Envelope is what every message carries around its body.
type Envelope struct {
	Version  int      `json:"v"`
	Kind     Kind     `json:"kind"`
	Host     string   `json:"host"`
	BootID   string   `json:"boot_id"` // /proc/sys/kernel/random/boot_id
	Instance Instance `json:"instance"`
	// Seq is the number of the message's first item, counted per instance and kind from 1. A message holds the
	// items Seq, Seq+1, … Seq+Count()-1.
	Seq      uint64 `json:"seq"`
	Wall     int64  `json:"wall_ns"`
	Boot     int64  `json:"boot_ns"`
	Produced uint64 `json:"produced"` // items of all kinds that this instance has made, this message's included
	Dropped  []Drop `json:"dropped,omitempty"`
}

// Message is an envelope and the one body that its kind asks for.
type Message struct {
	Envelope
	Snapshot *Snapshot  `json:"snapshot,omitempty"`
	Events   []Event    `json:"events,omitempty"`
	Gaps     []Gap      `json:"gaps,omitempty"`
	Jobs     []JobEvent `json:"jobs,omitempty"`
	Rollup   *Rollup    `json:"rollup,omitempty"`
}

// Count is the number of items the message holds; each has a number of its own.
func (m *Message) Count() uint64 {
	switch {
	case m.Kind.EventType() != "":
		return uint64(len(m.Events))
	case m.Kind == KindGap:
		return uint64(len(m.Gaps))
	case m.Kind == KindJob:
		return uint64(len(m.Jobs))
	}
	return 1
}

// ID is the message's Nats-Msg-Id: instance, kind and number. The server drops a second message of the same id
// within its window, the projector drops it for ever.
func (e *Envelope) ID() string {
	return e.Instance.String() + "." + string(e.Kind) + "." + strconv.FormatUint(e.Seq, 10)
}
