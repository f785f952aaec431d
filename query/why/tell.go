package why

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/schema"
)

// tell makes the story of the evidence.
func (e *evidence) tell() *Story {
	s := &Story{Process: e.life, Cause: e.cause(), Used: e.used(), Shortage: e.shortage, Coverage: e.covers}
	s.Verdict = e.verdict(s.Cause)
	s.Moments = e.moments()
	s.Unknown = unknownOf(e, s.Cause)
	return s
}

func (e *evidence) cause() Cause {
	if end := e.end(); end != nil {
		return causeOf(end)
	}
	if e.samples.Last != nil && e.samples.Last.Timestamp >= e.newest {
		return Alive
	}
	return NotKnown
}

func (e *evidence) verdict(cause Cause) string {
	name, end := program(e.life.Command), e.end()
	switch cause {
	case Alive:
		return name + " lives: it is in the newest snapshot of " + e.life.Host
	case Ended:
		return name + " ended well, with exit code 0"
	case Failed:
		return fmt.Sprintf("%s ended with exit code %d", name, *end.ExitCode)
	case Signalled:
		text := name + " was killed by " + signalOf(end)
		if strings.HasPrefix(end.Details, schema.SentBy) {
			text += ", " + end.Details
		}
		return text
	case OutOfMemory:
		return name + " was killed by the kernel for want of memory: " + cmp.Or(strings.TrimPrefix(end.Details, "out of memory: "), "nothing more is known of it")
	}
	if end != nil {
		return name + " ended, and nobody saw with what exit code"
	}
	return name + " is gone, and its end is not recorded"
}

// moments are what happened, in order.
func (e *evidence) moments() []Moment {
	moments := []Moment{e.birth()}
	add := func(at float64, kind string, pid int64, text string) {
		moments = append(moments, Moment{Timestamp: at, Kind: kind, PID: pid, Text: text})
	}
	for _, x := range e.execs {
		command := "another program, whose command line was not read in time"
		if x.Command != nil {
			command = *x.Command
		}
		add(x.Timestamp, "exec", x.PID, "exec "+command)
	}
	for _, a := range e.anomalies {
		add(a.Started, "anomaly", e.life.PID, anomalyText(&a))
	}
	if s := e.samples; s.Largest != nil && s.Count > 1 {
		add(s.Largest.Timestamp, "largest", e.life.PID, fmt.Sprintf("largest of %d samples: %.1f MiB resident, %.1f MiB at the first", s.Count, s.Largest.RSS, s.First.RSS))
	}
	if end := e.end(); end != nil {
		add(end.Timestamp, "death", end.PID, endText(end))
		for _, a := range e.aftermath(end) {
			add(a.Timestamp, "after", a.PID, program(a.Command)+" "+endText(&a))
		}
	}
	slices.SortStableFunc(moments, func(a, b Moment) int { return cmp.Compare(a.Timestamp, b.Timestamp) })
	return moments
}

// anomalyText says what a rule found, and until when it was so.
func anomalyText(a *query.Anomaly) string {
	text := fmt.Sprintf("%s, %s: %s", a.Rule, a.Severity, a.Description)
	switch {
	case a.Ended == nil:
		return text + "; it goes on"
	case *a.Ended > a.Started:
		return text + "; for " + term.Span(*a.Ended-a.Started)
	}
	return text
}

// birth is the first moment: the start, or the first that was seen of the process.
func (e *evidence) birth() Moment {
	line := make([]string, 0, len(e.ancestors))
	for _, a := range e.ancestors {
		line = append(line, strings.TrimSpace(fmt.Sprintf("%s %d", program(a.Command), a.PID)))
	}
	of := ""
	if len(line) > 0 {
		of = " of " + strings.Join(line, " ‹ ")
	}
	m := Moment{Timestamp: e.life.First, Kind: "seen", PID: e.life.PID, Text: "seen first; born" + of + ", before that"}
	switch {
	case e.life.PID == 1:
		m.Text = "seen first; it is the first process of the machine"
	case of == "":
		m.Text = "seen first; of whom it was born is not recorded"
	}
	if e.life.Born != nil {
		m.Timestamp, m.Kind, m.Text = *e.life.Born, "born", "born"+of
	}
	if e.life.JobID != nil {
		m.Text += ", for job " + *e.life.JobID
		if e.life.Sheet != nil {
			m.Text += fmt.Sprintf(", step %d", *e.life.Sheet)
		}
	}
	return m
}

// aftermath are the ends that came just after this one and may be of it: of the process that bore it, when that failed, and of those
// that it bore.
func (e *evidence) aftermath(end *query.Event) []query.Event {
	var parent int64
	if len(e.ancestors) > 0 {
		parent = e.ancestors[0].PID
	}
	var ends []query.Event
	for _, v := range e.after {
		mine := v.PID == e.life.PID && v.StartTicks == end.StartTicks
		child := v.PPID != nil && *v.PPID == e.life.PID
		failedParent := v.PID == parent && causeOf(&v) != Ended
		if !mine && (child || failedParent) {
			ends = append(ends, v)
		}
	}
	return ends
}

// used is what it used, from its exit where that says so.
func (e *evidence) used() Used {
	u := Used{Source: "samples"}
	if last, largest := e.samples.Last, e.samples.Largest; last != nil {
		u.CPUSeconds, u.Read, u.Write = &last.CPUSeconds, last.Read, last.Write
		u.PeakRSS = &largest.RSS
		age := last.Age
		u.Lifetime = &age
	}
	end := e.end()
	if end == nil || end.CPUSeconds == nil && end.PeakRSS == nil {
		return u
	}
	u.Source, u.Within = "exit", end.Within
	u.CPUSeconds, u.PeakRSS = cmp.Or(end.CPUSeconds, u.CPUSeconds), cmp.Or(end.PeakRSS, u.PeakRSS)
	u.Read, u.Write, u.Lifetime = cmp.Or(end.Read, u.Read), cmp.Or(end.Write, u.Write), cmp.Or(end.Lifetime, u.Lifetime)
	return u
}
