package anomaly

import (
	"math"
	"strings"
	"time"

	"github.com/expr-lang/expr/vm"

	"github.com/proctape/proctape/schema"
)

// state is what a rule remembers of one subject.
type state struct {
	window  window
	seen    uint64   // the tick at which it was last there
	episode *episode // the condition holds, or has held; nil otherwise
}

// episode is an episode that may begin, or goes on.
type episode struct {
	Anomaly  schema.Anomaly
	Type     string // of the anomaly
	BootID   string
	Since    int64  // since when the condition holds, by the boot clock
	Clear    int64  // since when it no longer does; 0: it does
	ClearAt  int64  // the same by the wall clock
	Told     int64  // when something was last told of it; 0: it has not begun
	Revision uint64 // how often something was told of it
	Changed  bool   // it got worse since
}

// How often an episode that goes on is told of anew: when it got worse, and so that it is known to go on.
const (
	tellWorse = int64(5 * time.Minute)
	tellAnew  = int64(time.Hour)
)

// moment is when something was observed.
type moment struct {
	wall, boot  int64
	interrupted bool // nothing was observed for some time before: nobody knows whether a condition held meanwhile
}

// take takes in what the condition says of a row of the subject, and returns the episode when something is to be told of it. Of one that is over,
// the state has none any more.
func (s *state) take(j *compiled, r *row, says answer, now moment, machine *vm.VM, about func() schema.AnomalySubject) *episode {
	e := s.episode
	switch {
	case says == unknown || says == no && e == nil:
		return nil
	case says == yes && e == nil:
		e = &episode{Type: j.AnomalyType(), BootID: strings.Clone(r.m.BootID), Since: now.boot, Anomaly: schema.Anomaly{Rule: j.Name, Digest: j.digest, About: kept(about()), Started: now.wall, Labels: j.labels()}}
		s.episode = e
		e.observe(j, r, now, machine)
	case says == yes:
		if e.Clear = 0; e.Told == 0 && now.interrupted {
			e.Since, e.Anomaly.Started = now.boot, now.wall
		}
		e.observe(j, r, now, machine)
	case e.Told == 0: // it did not hold for long enough
		s.episode = nil
		return nil
	default:
		return s.recover(j, r, now, machine)
	}
	return e.tell(j, r, now, machine)
}

// tell says whether something is to be told of an episode whose condition holds.
func (e *episode) tell(j *compiled, r *row, now moment, machine *vm.VM) *episode {
	switch {
	case e.Told == 0 && now.boot-e.Since < int64(j.For):
		return nil
	case e.Told == 0:
		e.Anomaly.Noticed = now.wall
		if v, ok := j.threshold.number(r, machine); ok {
			e.Anomaly.Threshold = thousandths(v)
		}
	case e.Changed && now.boot-e.Told >= tellWorse, now.boot-e.Told >= tellAnew:
	default:
		return nil
	}
	e.tellNow(now)
	return e
}

// tellNow counts that the episode is told of.
func (e *episode) tellNow(now moment) {
	e.Told, e.Changed, e.Revision = max(now.boot, 1), false, e.Revision+1
}

// recover takes in that the condition of an episode does not hold. It is over when that has been so for long enough.
func (s *state) recover(j *compiled, r *row, now moment, machine *vm.VM) *episode {
	e := s.episode
	if j.until != nil && e.Clear == 0 && j.until.says(r, machine) != yes {
		return nil
	}
	if e.Clear == 0 {
		e.Clear, e.ClearAt = now.boot, now.wall
	}
	if now.boot-e.Clear < int64(j.ClearFor) {
		return nil
	}
	return s.end(schema.EndRecovered, e.ClearAt, now)
}

// end ends the episode of a state at a wall time, and returns it when it has begun.
func (s *state) end(why schema.EndReason, at int64, now moment) *episode {
	e := s.episode
	s.episode = nil
	if e == nil || e.Told == 0 {
		return nil
	}
	e.Anomaly.Ended, e.Anomaly.EndReason = schema.Some(at), why
	e.tellNow(now)
	return e
}

// observe takes in the values of a row of which the condition holds.
func (e *episode) observe(j *compiled, r *row, now moment, machine *vm.VM) {
	a := &e.Anomaly
	a.Samples++
	a.LastSeen = now.wall
	worse := a.Samples == 1
	if j.value != nil {
		a.Metric = j.Value
		if v, ok := j.value.get(r).(float64); ok {
			a.Last = thousandths(v)
			if a.Samples == 1 {
				a.First = a.Last
			}
			worse = worse || !a.Peak.Known || j.isWorse(v, float64(a.Peak.V)/1000)
		}
	}
	if severity := j.severity(r, machine); severity.Rank() > a.Severity.Rank() {
		if e.Told != 0 {
			e.Told = min(e.Told, now.boot-tellWorse) // at once
		}
		a.Severity, worse = severity, true
	}
	if !worse {
		return
	}
	e.Changed = true
	a.Peak, a.Peaked, a.Description, a.Values = a.Last, now.wall, j.description(r, &a.About), nil
	for _, f := range j.show {
		if v, ok := f.get(r).(float64); ok {
			a.Values = append(a.Values, schema.AnomalyValue{Name: f.Name, Value: thousandths(v).V})
		}
	}
}

// thousandths is a value as a message has it.
func thousandths(v float64) schema.Opt[int64] {
	const most = 1 << 53
	if math.IsNaN(v) {
		return schema.Opt[int64]{}
	}
	return schema.Some(int64(max(-most, min(most, math.Round(v*1000)))))
}

// message is what is told of an episode now.
func (e *episode) message(host string, now moment) *schema.Message {
	a := e.Anomaly
	return &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.AnomalyKind(e.Type), Host: host, BootID: e.BootID,
		Instance: schema.AnomalyInstance(host, e.BootID, a.Rule, &a.About, a.Started), Seq: e.Revision, Wall: now.wall, Boot: now.boot}, Anomaly: &a}
}

// kept is a subject whose texts are its own: those of a message are parts of one that is much larger.
func kept(s schema.AnomalySubject) schema.AnomalySubject {
	s.Command, s.Cgroup, s.JobID = strings.Clone(s.Command), strings.Clone(s.Cgroup), strings.Clone(s.JobID)
	return s
}
