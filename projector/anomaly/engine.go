package anomaly

import (
	"fmt"

	"github.com/expr-lang/expr/vm"

	"github.com/proctape/proctape/schema"
)

// Engine finds episodes in messages. It remembers what rules need of earlier messages. One goroutine uses it.
type Engine struct {
	rules    *Rules
	memories map[place]*memory
	machine  vm.VM
}

// place is a stream and a host: rules read one stream of one host, so that their result does not depend on how others come.
type place struct{ stream, host string }

// NewEngine returns an engine that remembers nothing.
func NewEngine(rules *Rules) *Engine { return &Engine{rules: rules, memories: map[place]*memory{}} }

// Knows reports whether the engine has what it remembers of a host's messages of a stream: [Engine.Load] gave it, or a message came.
func (e *Engine) Knows(stream, host string) bool { return e.memories[place{stream, host}] != nil }

// Observe takes in a message and returns what is to be told of episodes. Messages of a stream and host come in the stream's order; one that is
// older than those before it says nothing. The engine does not keep the message, but its texts.
func (e *Engine) Observe(m *schema.Message) []*schema.Message {
	mem := e.memory(schema.StreamFor(m.Kind), m.Host)
	mem.found = nil
	switch {
	case m.Snapshot != nil:
		mem.snapshot(m)
	case m.Events != nil:
		for i := range m.Events {
			mem.event(m, &m.Events[i])
		}
	case m.Run != nil:
		mem.run(m)
	}
	return mem.found
}

// Event takes in one event of a message.
func (e *Engine) Event(m *schema.Message, event *schema.Event) []*schema.Message {
	mem := e.memory(schema.StreamFor(m.Kind), m.Host)
	mem.found = nil
	mem.event(m, event)
	return mem.found
}

func (e *Engine) memory(stream, host string) *memory {
	at := place{stream, host}
	mem := e.memories[at]
	if mem == nil {
		mem = &memory{of: e.rules, machine: &e.machine, rules: make([]ruleMemory, len(e.rules.list))}
		e.memories[at] = mem
	}
	return mem
}

// Save returns what the engine remembers of a host's messages of a stream, for [Engine.Load]: an engine that has loaded it finds what this one
// would have found.
func (e *Engine) Save(stream, host string) []byte { return save(e.memory(stream, host)) }

// Load gives the engine what another remembered of a host's messages of a stream; nothing for a host that is new. What is remembered for a rule
// that is gone, or says something else now, is forgotten; episodes of such a rule end, and are returned to be told.
func (e *Engine) Load(stream, host string, saved []byte) ([]*schema.Message, error) {
	delete(e.memories, place{stream, host})
	mem := e.memory(stream, host)
	if len(saved) == 0 {
		return nil, nil
	}
	if err := load(mem, saved, host); err != nil {
		return nil, fmt.Errorf("read what the rules remember: %w", err)
	}
	return mem.found, nil
}
