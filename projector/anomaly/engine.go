package anomaly

import (
	"errors"
	"fmt"
	"slices"

	"github.com/expr-lang/expr/vm"

	"github.com/proctape/proctape/schema"
)

// Rules are rules that were checked. They do not change.
type Rules struct{ judges []*judge }

// Compile checks rules. The error has all that is wrong with them, each with the rule's name.
func Compile(rules []Rule) (*Rules, error) {
	all := &Rules{}
	var errs []error
	seen := map[string]bool{}
	for _, r := range rules {
		j, err := newJudge(r)
		if err == nil && seen[r.Name] {
			err = errors.New("another rule has the same name")
		}
		seen[r.Name] = true
		if err != nil {
			errs = append(errs, fmt.Errorf("rule %q: %w", r.Name, err))
			continue
		}
		if !r.Off {
			all.judges = append(all.judges, j)
		}
	}
	return all, errors.Join(errs...)
}

// Engine finds episodes in messages. It remembers what rules need of earlier messages. One goroutine uses it.
type Engine struct {
	rules    *Rules
	memories map[place]*memory
	machine  vm.VM
}

// place is a stream and a host: rules read one stream of one host, so that their result does not depend on how others come.
type place struct{ stream, host string }

// memory is what rules remember of a host's messages of one stream.
type memory struct {
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
		e.snapshot(mem, m)
	case m.Events != nil:
		for i := range m.Events {
			e.event(mem, m, &m.Events[i])
		}
	case m.Run != nil:
		e.run(mem, m)
	}
	return mem.found
}

// Event takes in one event of a message.
func (e *Engine) Event(m *schema.Message, event *schema.Event) []*schema.Message {
	mem := e.memory(schema.StreamFor(m.Kind), m.Host)
	mem.found = nil
	e.event(mem, m, event)
	return mem.found
}

func (e *Engine) memory(stream, host string) *memory {
	at := place{stream, host}
	mem := e.memories[at]
	if mem == nil {
		mem = &memory{rules: make([]ruleMemory, len(e.rules.judges))}
		e.memories[at] = mem
	}
	return mem
}

// tell adds what is told of an episode to what was found; of none it adds nothing.
func (mem *memory) tell(host string, e *episode) {
	if e != nil {
		mem.found = append(mem.found, e.message(host, mem.now))
	}
}

// snapshot takes in a snapshot.
func (e *Engine) snapshot(mem *memory, m *schema.Message) {
	if !mem.arrive(e, m) {
		return
	}
	r := &row{m: m, s: m.Snapshot, boot: m.Boot, procs: &m.Snapshot.Processes, states: &mem.states}
	r.states.note(r)
	mem.setForks(r, m)
	for i, j := range e.rules.judges {
		rules := &mem.rules[i]
		switch j.On {
		case OnProcess:
			rules.tick++
			e.processes(j, mem, rules, r)
		case OnGroup, OnJob:
			if rules.tick++; len(rules.states) == 0 && !j.mayHold(r.procs) {
				continue
			}
			for _, s := range r.sums(j.On, j.By) {
				r.sum = s
				e.look(j, mem, rules, r, s.key, func() schema.AnomalySubject { return s.about })
			}
		case OnHost:
			rules.tick++
			e.look(j, mem, rules, r, subject{}, func() schema.AnomalySubject { return schema.AnomalySubject{Kind: schema.AboutHost} })
		case OnGPU:
			rules.tick++
			r.holders = holdersOf(r.procs)
			for g := range m.Snapshot.GPUs {
				r.gpu = &m.Snapshot.GPUs[g]
				e.look(j, mem, rules, r, subject{id: int64(r.gpu.Index)}, func() schema.AnomalySubject {
					return schema.AnomalySubject{Kind: schema.AboutGPU, GPU: schema.Some(int64(r.gpu.Index))}
				})
			}
		default:
			continue
		}
		mem.sweep(rules, m.Host, j.track != nil)
	}
}

// processes asks a rule about the processes of a snapshot: those that its sieve lets through, and those of which an episode goes on.
func (e *Engine) processes(j *judge, mem *memory, rules *ruleMemory, r *row) {
	about := r.aboutProcess
	for row := range r.procs.Len() {
		if j.sieve.passes(r.procs, row) {
			e.look(j, mem, rules, r, r.process(row), about)
		}
	}
	if j.sieve.column == nil || rules.open == 0 {
		return
	}
	for key, s := range rules.states {
		if s.seen == rules.tick || s.episode == nil {
			continue
		}
		if row, ok := r.procs.Find(int(key.id)); ok && r.process(row) == key {
			e.look(j, mem, rules, r, key, about)
		}
	}
}

// arrive takes in when a snapshot was made. It reports false for one that is older than those before it.
func (mem *memory) arrive(e *Engine, m *schema.Message) bool {
	switch {
	case mem.bootID == m.BootID && m.Boot <= mem.boot:
		return false
	case mem.bootID != "" && mem.bootID != m.BootID:
		mem.now = moment{wall: m.Wall, boot: m.Boot}
		mem.endAll(e, m.Host, schema.EndRebooted)
		mem.states, mem.forks, mem.boot = processStates{}, schema.Opt[int64]{}, 0
	}
	apart := max(mem.interval, m.Snapshot.Interval)
	mem.now = moment{wall: m.Wall, boot: m.Boot, interrupted: mem.boot > 0 && m.Boot-mem.boot > 3*apart}
	mem.bootID, mem.interval = m.BootID, m.Snapshot.Interval
	return true
}

// endAll ends all episodes at the newest message, and forgets the subjects.
func (mem *memory) endAll(e *Engine, host string, why schema.EndReason) {
	for i, j := range e.rules.judges {
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

// setForks works out how many processes were started a second, and notes the snapshot as the newest.
func (mem *memory) setForks(r *row, m *schema.Message) {
	forks := m.Snapshot.HostValues.Forks
	if seconds := float64(m.Boot-mem.boot) / 1e9; forks.Known && mem.forks.Known && mem.boot > 0 && seconds > 0 && forks.V >= mem.forks.V {
		r.forks, r.forksKnown = float64(forks.V-mem.forks.V)/seconds, true
	}
	mem.forks, mem.previous, mem.boot, mem.wall = forks, mem.boot, m.Boot, m.Wall
}

// look asks a rule about a row, and takes its answer in.
func (e *Engine) look(j *judge, mem *memory, rules *ruleMemory, r *row, key subject, about func() schema.AnomalySubject) {
	r.settings, r.tracked = j.Settings, derived{}
	if len(j.Jobs) > 0 {
		var off bool
		if r.settings, off = j.settingsOf(r.jobName(j.On)); off {
			return
		}
	}
	var s *state
	says, watched := no, j.track == nil || j.sieve.exact || j.watches(r, &e.machine)
	if watched && j.track != nil {
		s = rules.at(key, true)
		s.begin(j, r, mem.previous)
		s.track(j, r)
	}
	if watched {
		says = j.condition(r, &e.machine)
	}
	if s == nil && (says == yes || len(rules.states) > 0) {
		s = rules.at(key, says == yes)
	}
	if s == nil {
		return
	}
	s.seen = rules.tick
	rules.now = append(rules.now, ordered{key, s})
	was := s.episode != nil
	mem.tell(r.m.Host, s.take(j, r, says, mem.now, &e.machine, about))
	if is := s.episode != nil; is && !was {
		rules.open++
	} else if was && !is {
		rules.open--
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

// begin begins the window of a process that was there at the snapshot before, and was not watched then: it had less than the rule watches, which counts as
// that.
func (s *state) begin(j *judge, r *row, previous int64) {
	if len(s.window.points) > 0 || !j.sieve.exact || j.sieve.some || previous == 0 || int64(r.procs.StartTicks(r.i))*1e7 > previous {
		return
	}
	s.window.points = append(s.window.points, point{previous, float64(j.sieve.least) / j.track.per})
}

// track adds the value of a row to the window, and says what follows from it.
func (s *state) track(j *judge, r *row) {
	v, ok := j.track.num(r)
	if !ok {
		return
	}
	r.tracked = s.window.derive(r.boot, v, int64(j.Window))
	s.window.add(r.boot, v, int64(j.Window))
}

func (r *row) jobName(scope string) string {
	switch {
	case scope == OnProcess:
		return schema.JobOf(r.procs, r.i).ID
	case r.sum != nil && (scope == OnJob || scope == OnGroup):
		return r.sum.about.JobID
	case r.event != nil:
		return r.event.JobID
	case r.run != nil:
		return r.run.JobID
	}
	return ""
}

// sweep forgets the subjects that were not there, and ends their episodes. keeps says that of every subject that was there something is remembered.
func (mem *memory) sweep(rules *ruleMemory, host string, keeps bool) {
	rules.before, rules.now, rules.cursor = rules.now, rules.before[:0], 0
	if len(rules.before) == len(rules.states) && (keeps || !rules.idle()) {
		return
	}
	for key, s := range rules.states {
		switch {
		case s.seen == rules.tick && (s.episode != nil || len(s.window.points) > 0):
			continue
		case s.seen != rules.tick:
			if s.episode != nil {
				rules.open--
			}
			mem.tell(host, s.end(schema.EndGone, mem.now.wall, mem.now))
		}
		delete(rules.states, key)
		rules.before = rules.before[:0] // it may name what is gone
	}
}

// idle reports whether a state that was seen remembers nothing any more.
func (m *ruleMemory) idle() bool {
	return slices.ContainsFunc(m.before, func(o ordered) bool { return o.state.episode == nil && len(o.state.window.points) == 0 })
}
