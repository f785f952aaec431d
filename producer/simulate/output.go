package simulate

import (
	"cmp"
	"slices"

	"github.com/proctape/proctape/schema"
)

// scratch is the memory that messages are made in.
type scratch struct {
	messages      []schema.Message
	snapshot      schema.Snapshot
	pressure      schema.Pressure
	exits, spawns []schema.Event
	ooms          []schema.Event
	execs         []schema.Exec
	jobs          []schema.JobEvent
}

func (s *scratch) reset() {
	s.messages, s.exits, s.spawns, s.execs, s.jobs = s.messages[:0], s.exits[:0], s.spawns[:0], s.execs[:0], s.jobs[:0]
	s.ooms = s.ooms[:0]
}

// output numbers the messages of a host and holds those of the last step.
type output struct {
	scratch  *scratch
	name     string
	bootID   string
	instance schema.Instance
	next     map[schema.Kind]uint64 // number of the last item of each kind
	produced uint64
}

// addEvents adds messages of events of a kind, in the order in which they happened.
func (o *output) addEvents(c *hostClock, kind schema.Kind, events []schema.Event) {
	slices.SortStableFunc(events, func(a, b schema.Event) int { return cmp.Compare(a.Boot, b.Boot) })
	for some := range slices.Chunk(events, schema.MaxEvents) {
		o.addMessage(c, schema.Message{Envelope: schema.Envelope{Kind: kind}, Events: some})
	}
}

// addMessage adds a message, and fills in its envelope as a publisher does.
func (o *output) addMessage(c *hostClock, m schema.Message) {
	m.Version, m.Host, m.BootID, m.Instance = schema.Version, o.name, o.bootID, o.instance
	m.Wall, m.Boot = c.wall(), c.boot
	count := m.Count()
	m.Seq = o.next[m.Kind] + 1
	o.next[m.Kind] += count
	o.produced += count
	m.Produced = o.produced
	o.scratch.messages = append(o.scratch.messages, m)
}
