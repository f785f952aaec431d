package anomaly

import (
	"slices"

	"github.com/proctape/proctape/schema"
)

// snapshot takes in a snapshot.
func (mem *memory) snapshot(m *schema.Message) {
	if !mem.arrive(m) {
		return
	}
	r := &row{m: m, s: m.Snapshot, boot: m.Boot, procs: &m.Snapshot.Processes, states: &mem.states}
	r.states.note(r)
	mem.setForks(r, m)
	for i, j := range mem.of.list {
		rules := &mem.rules[i]
		switch j.On {
		case OnProcess:
			rules.tick++
			mem.processes(j, rules, r)
		case OnGroup, OnJob:
			if rules.tick++; len(rules.states) == 0 && !j.mayHold(r.procs) {
				continue
			}
			for _, s := range r.sums(j.On, j.By) {
				r.sum = s
				mem.ask(j, rules, r, s.key, func() schema.AnomalySubject { return s.about })
			}
		case OnHost:
			rules.tick++
			mem.ask(j, rules, r, subject{}, func() schema.AnomalySubject { return schema.AnomalySubject{Kind: schema.AboutHost} })
		case OnGPU:
			rules.tick++
			r.holders = holdersOf(r.procs)
			for g := range m.Snapshot.GPUs {
				r.gpu = &m.Snapshot.GPUs[g]
				mem.ask(j, rules, r, subject{id: int64(r.gpu.Index)}, func() schema.AnomalySubject {
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
func (mem *memory) processes(j *compiled, rules *ruleMemory, r *row) {
	about := r.aboutProcess
	for row := range r.procs.Len() {
		if j.sieve.passes(r.procs, row) {
			mem.ask(j, rules, r, r.process(row), about)
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
			mem.ask(j, rules, r, key, about)
		}
	}
}

// arrive takes in when a snapshot was made. It reports false for one that is older than those before it.
func (mem *memory) arrive(m *schema.Message) bool {
	switch {
	case mem.bootID == m.BootID && m.Boot <= mem.boot:
		return false
	case mem.bootID != "" && mem.bootID != m.BootID:
		mem.now = moment{wall: m.Wall, boot: m.Boot}
		mem.endAll(m.Host, schema.EndRebooted)
		mem.states, mem.forks, mem.boot = processStates{}, schema.Opt[int64]{}, 0
	}
	apart := max(mem.interval, m.Snapshot.Interval)
	mem.now = moment{wall: m.Wall, boot: m.Boot, interrupted: mem.boot > 0 && m.Boot-mem.boot > 3*apart}
	mem.setBoot(m.BootID)
	mem.interval = m.Snapshot.Interval
	return true
}

// setForks works out how many processes were started a second, and notes the snapshot as the newest.
func (mem *memory) setForks(r *row, m *schema.Message) {
	forks := m.Snapshot.HostValues.Forks
	if seconds := float64(m.Boot-mem.boot) / 1e9; forks.Known && mem.forks.Known && mem.boot > 0 && seconds > 0 && forks.V >= mem.forks.V {
		r.forks, r.forksKnown = float64(forks.V-mem.forks.V)/seconds, true
	}
	mem.forks, mem.previous, mem.boot, mem.wall = forks, mem.boot, m.Boot, m.Wall
}

// ask asks a rule about a row, and takes its answer in.
func (mem *memory) ask(j *compiled, rules *ruleMemory, r *row, key subject, about func() schema.AnomalySubject) {
	r.settings, r.tracked = j.Settings, derived{}
	if len(j.Jobs) > 0 {
		var off bool
		if r.settings, off = j.settingsOf(r.jobName(j.On)); off {
			return
		}
	}
	var s *state
	says, watched := no, j.track == nil || j.sieve.exact || j.watches(r, mem.machine)
	if watched && j.track != nil {
		s = rules.at(key, true)
		s.begin(j, r, mem.previous)
		s.track(j, r)
	}
	if watched {
		says = j.condition(r, mem.machine)
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
	mem.tell(r.m.Host, s.take(j, r, says, mem.now, mem.machine, about))
	if is := s.episode != nil; is && !was {
		rules.open++
	} else if was && !is {
		rules.open--
	}
}

// begin begins the window of a process that was there at the snapshot before, and was not watched then: it had less than the rule watches, which counts as
// that.
func (s *state) begin(j *compiled, r *row, previous int64) {
	if len(s.window.points) > 0 || !j.sieve.exact || j.sieve.some || previous == 0 || int64(r.procs.StartTicks(r.i))*1e7 > previous {
		return
	}
	s.window.points = append(s.window.points, point{previous, float64(j.sieve.least) / j.track.per})
}

// track adds the value of a row to the window, and says what follows from it.
func (s *state) track(j *compiled, r *row) {
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
