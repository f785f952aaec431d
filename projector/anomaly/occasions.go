package anomaly

import (
	"slices"

	"github.com/proctape/proctape/schema"
)

// mostCounted is how many events of one subject are counted, at most.
const mostCounted = 4096

// event takes in an event. A rule without a count tells of each that meets its condition: such an episode is of one moment. A rule with a
// count tells of an episode, which goes on while so many events lie in its window.
func (mem *memory) event(m *schema.Message, event *schema.Event) {
	if mem.bootID != "" && mem.bootID != m.BootID {
		mem.now = moment{wall: event.Wall, boot: event.Boot}
		mem.endAll(m.Host, schema.EndRebooted)
		mem.boot = 0
	}
	mem.setBoot(m.BootID)
	mem.boot, mem.wall = max(mem.boot, event.Boot), max(mem.wall, event.Wall)
	mem.now = moment{wall: event.Wall, boot: mem.boot}
	r := &row{m: m, boot: event.Boot, event: event}
	for i, j := range mem.of.list {
		if !isEvent(j.On) {
			continue
		}
		rules := &mem.rules[i]
		if j.Count > 0 {
			mem.cool(j, rules, m.Host)
		}
		if schema.EventKinds[j.On] == m.Kind {
			mem.occasion(j, rules, r)
		}
	}
}

// occasion asks a rule about an event of its kind.
func (mem *memory) occasion(j *compiled, rules *ruleMemory, r *row) {
	var off bool
	if r.settings, off = j.settingsOf(r.event.JobID); off {
		return
	}
	key, about, ok := r.eventSubject(j.By)
	if !ok {
		return
	}
	r.count, r.hasLast = 0, false
	if s := rules.at(key, false); s != nil && len(s.window.points) > 0 {
		if j.reset != nil && j.reset.says(r, mem.machine) == yes {
			mem.tell(r.m.Host, s.end(schema.EndRecovered, mem.now.wall, mem.now))
			delete(rules.states, key)
			return
		}
		r.sinceLast, r.hasLast = float64(r.boot-s.window.points[len(s.window.points)-1].at)/1e9, true
	}
	if j.condition(r, mem.machine) != yes {
		return
	}
	if j.Count == 0 {
		if !rules.follows(j, r.event, mem.boot) {
			mem.tell(r.m.Host, mem.single(j, r, about))
		}
		return
	}
	s := rules.at(key, true)
	if s.window.points = append(s.window.points, point{mem.boot, 1}); len(s.window.points) > mostCounted {
		s.window.points = s.window.points[1:]
	}
	if r.count = len(s.window.points); r.count >= j.Count || s.episode != nil {
		mem.tell(r.m.Host, s.take(j, r, yes, mem.now, mem.machine, func() schema.AnomalySubject { return about }))
	}
}

// follows reports whether an event comes so soon after one of its job that was told of that it is part of that.
func (m *ruleMemory) follows(j *compiled, event *schema.Event, at int64) bool {
	if j.Once == 0 {
		return false
	}
	for key, s := range m.states {
		if at-s.window.last >= int64(j.Once) {
			delete(m.states, key)
		}
	}
	key := subject{name: named(event.JobID), start: truth(event.Fleet)}
	if m.at(key, false) != nil {
		return true
	}
	m.at(key, true).window.last = at
	return false
}

// single is an episode of one moment.
func (mem *memory) single(j *compiled, r *row, about schema.AnomalySubject) *episode {
	var s state
	one := s.take(j, r, yes, mem.now, mem.machine, func() schema.AnomalySubject { return about })
	if one == nil { // for holds it back; a moment has no length
		return nil
	}
	one.Anomaly.Ended, one.Anomaly.EndReason = schema.Some(mem.now.wall), schema.EndMoment
	return one
}

// cool lets go of the events that have left a rule's window, and ends the episodes in whose window too few are left.
func (mem *memory) cool(j *compiled, rules *ruleMemory, host string) {
	for key, s := range rules.states {
		from := slices.IndexFunc(s.window.points, func(p point) bool { return p.at > mem.boot-int64(j.Window) })
		if from < 0 {
			from = len(s.window.points)
		}
		s.window.points = s.window.points[from:]
		if s.episode != nil && len(s.window.points) < j.Count {
			mem.tell(host, s.end(schema.EndRecovered, s.episode.Anomaly.LastSeen, mem.now))
		}
		if len(s.window.points) == 0 {
			delete(rules.states, key)
		}
	}
}

// mostEarlier is with how many earlier runs one is compared.
const mostEarlier = 20

// run takes in the record of a run. Once it has ended, rules are asked about it and its steps.
func (mem *memory) run(m *schema.Message) {
	if !m.Run.Ended.Known {
		return
	}
	r := &row{m: m, run: m.Run}
	for i, j := range mem.of.list {
		if j.On != OnRun {
			continue
		}
		r.step = nil
		mem.ended(j, &mem.rules[i], r)
		for step := range m.Run.Steps {
			r.step = &m.Run.Steps[step]
			mem.ended(j, &mem.rules[i], r)
		}
	}
}

// ended asks a rule about a run, or a step, that has ended. Of a run that was told of before it says nothing.
func (mem *memory) ended(j *compiled, rules *ruleMemory, r *row) {
	var off bool
	if r.settings, off = j.settingsOf(r.run.JobID); off || !r.ended().Known {
		return
	}
	mem.now = moment{wall: r.ended().V, boot: max(r.m.Boot, 1)}
	s := rules.at(subject{id: r.sheet().Or(-1), name: named(r.run.JobID)}, true)
	if slices.ContainsFunc(s.window.points, func(p point) bool { return p.at == r.run.Number }) {
		return
	}
	v := 1.0
	if j.track != nil {
		var ok bool
		if v, ok = j.track.get(r).(float64); !ok {
			return
		}
		var before []float64
		for _, p := range s.window.points {
			before = append(before, p.v)
		}
		r.earlier = compareEarlier(before, v)
	}
	if s.window.points = append(s.window.points, point{r.run.Number, v}); len(s.window.points) > mostEarlier {
		s.window.points = s.window.points[1:]
	}
	if j.condition(r, mem.machine) == yes {
		mem.tell(r.m.Host, mem.single(j, r, r.aboutRun()))
	}
}
