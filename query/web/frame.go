package web

import (
	"encoding/json"
	"sync"
	"sync/atomic"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/live"
	"github.com/proctape/proctape/schema"
)

// frame is one message of the log for all clients. It is decoded when the first of them wants something of it, and each of its
// events is written as JSON when the first of them wants that.
type frame struct {
	*live.Message
	bytes   int                             // about how much memory it takes; guarded by the follow that keeps it
	grows   func(n int)                     // is told when it takes more; nil for a frame that nobody keeps
	skipped func(subject string, err error) // is told why it cannot be read

	once    sync.Once
	decoded atomic.Pointer[schema.Message] // nil until it is decoded, and when it cannot be read
	events  []*event                       // as the message has them; set when decoded is
}

// event is one thing that a client is told.
type event struct {
	name string                 // snapshot, event, exec or gap
	of   any                    // *schema.Message of a snapshot, *query.Event, *query.Exec or *query.Gap
	data func() ([]byte, error) // JSON, made once
}

// About how many bytes a frame takes beside its message: by itself, for each event, and for each process of a snapshot.
const (
	frameBytes   = 256
	eventBytes   = 768
	processBytes = 320
)

func newFrame(m *live.Message, skipped func(string, error)) *frame {
	return &frame{Message: m, skipped: skipped}
}

// grow says that it takes more memory.
func (f *frame) grow(n int) {
	if f.grows != nil {
		f.grows(n)
	}
}

// open returns the events of the message; none of one that cannot be read.
func (f *frame) open() []*event {
	f.once.Do(func() {
		m, err := f.Decode()
		if err != nil {
			f.skipped(f.Subject, err)
			return
		}
		f.events = f.eventsOf(m)
		f.decoded.Store(m)
		n := len(f.events) * eventBytes
		if m.Snapshot != nil {
			n += m.Snapshot.Processes.Len() * processBytes
		}
		f.grow(n)
	})
	return f.events
}

func (f *frame) eventsOf(m *schema.Message) (all []*event) {
	add := func(name string, of any, value func() any) {
		all = append(all, &event{name, of, sync.OnceValues(func() ([]byte, error) {
			data, err := told(value())
			f.grow(len(data))
			return data, err
		})})
	}
	if m.Snapshot != nil {
		add("snapshot", m, func() any { return query.SnapshotFromMessage(m) })
	}
	for _, e := range query.EventsFromMessage(m) {
		add("event", &e, func() any { return &e })
	}
	for _, e := range query.ExecsFromMessage(m) {
		add("exec", &e, func() any { return &e })
	}
	for _, g := range query.GapsFromMessage(m) {
		add("gap", &g, func() any { return &g })
	}
	return all
}

// told is a value as a client is told it.
func told(value any) ([]byte, error) {
	data, err := json.Marshal(value)
	return query.NullUnknown(data), err
}
