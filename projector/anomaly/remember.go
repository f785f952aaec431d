package anomaly

import (
	"strings"

	"github.com/expr-lang/expr/vm"

	"github.com/proctape/proctape/schema"
)

// memory is what rules remember of a host's messages of one stream.
type memory struct {
	of       *Rules
	machine  *vm.VM
	bootID   string
	boot     int64 // of the newest message
	wall     int64
	interval int64
	previous int64 // boot time of the snapshot before that; 0 for none
	forks    schema.Opt[int64]
	states   processStates
	rules    []ruleMemory // beside the rules

	found []*schema.Message // in the message that is looked at
	now   moment
}

// ruleMemory is what one rule remembers of a host, by subject.
type ruleMemory struct {
	states map[subject]*state
	tick   uint64

	// Rows of processes come by pid, rising, in each snapshot: those of the last one, in their order, find most states without a hash.
	before, now []ordered
	cursor      int
	open        int // states of which an episode goes on, or may begin
}

// ordered is the state of a row, in the order of rows.
type ordered struct {
	key   subject
	state *state
}

// setBoot notes of which boot the newest message is. It copies the text, which is a part of the message.
func (mem *memory) setBoot(id string) {
	if mem.bootID != id {
		mem.bootID = strings.Clone(id)
	}
}

// tell adds what is told of an episode to what was found; of none it adds nothing.
func (mem *memory) tell(host string, e *episode) {
	if e != nil {
		mem.found = append(mem.found, e.message(host, mem.now))
	}
}

// endAll ends all episodes at the newest message, and forgets the subjects.
func (mem *memory) endAll(host string, why schema.EndReason) {
	for i, j := range mem.of.list {
		if j.On == OnRun { // runs are known by their jobs
			continue
		}
		for key, s := range mem.rules[i].states {
			mem.tell(host, s.end(why, max(mem.wall, 1), mem.now))
			delete(mem.rules[i].states, key)
		}
		mem.rules[i].before, mem.rules[i].now, mem.rules[i].open = nil, nil, 0
	}
}

// at is the state of a subject; nil when there is none and none is to be made.
func (m *ruleMemory) at(key subject, make bool) *state {
	for m.cursor < len(m.before) && m.before[m.cursor].key.id < key.id {
		m.cursor++
	}
	if m.cursor < len(m.before) && m.before[m.cursor].key == key {
		return m.before[m.cursor].state
	}
	s := m.states[key]
	if s == nil && make {
		if m.states == nil {
			m.states = map[subject]*state{}
		}
		s = &state{}
		m.states[key] = s
	}
	return s
}
