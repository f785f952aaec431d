package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// Text writes the report for people. Names of jobs and commands in it are made safe to print. Line by line it fits into width cells; 0 is no limit.
func (r *RunReport) Text(w io.Writer, width int) error {
	t := &text{w: w, width: width}
	t.head(r)
	t.stepTable(r)
	t.timeline(r)
	t.deathLines(r)
	t.anomalyLines(r)
	t.processTable(r)
	t.leftTable(r)
	t.systemCalls(r)
	for _, a := range r.Advice {
		t.line("! %s", a.Text)
	}
	t.line("Known: %s", r.known())
	return t.err
}

// head writes what the run was, and what it used in all.
func (t *text) head(r *RunReport) {
	t.line("%s   %s", r.title(), r.verdict())
	if r.Command != nil {
		t.line("%s", line(*r.Command, 120))
	}
	when := "since " + clock(r.Started, timeLayout)
	switch {
	case r.EndedSince != nil && r.Ended != nil:
		when = fmt.Sprintf("%s, nobody saw the end: after %s", period(r.Started, *r.Ended), clock(*r.EndedSince, "15:04:05Z07:00"))
	case r.Ended != nil:
		when = period(r.Started, *r.Ended)
	}
	t.line("%s, %s%s", when, term.Span(*r.Seconds), r.earlier())
	t.line("%s", r.usedCPU())
	t.line("%s", r.usedMemory())
	if s := r.deleted(); s != "" {
		t.line("%s", s)
	}
}

// stepTable writes the steps.
func (t *text) stepTable(r *RunReport) {
	if len(r.Steps) == 0 {
		return
	}
	t.line("")
	heads := []string{"STEP", "WALL", "CPU s", "SYSTEM s", "CORES", "PEAK MiB", "READ MiB", "WROTE MiB", "SPAWNS", "FAILED", "-EXIT"}
	var rows [][]string
	for i := range r.Steps {
		s := &r.Steps[i]
		rows = append(rows, []string{fmt.Sprint(s.Sheet), show(s.Seconds, term.Span), show(s.CPUSeconds, seconds), show(s.SystemCPU, seconds), show(s.Cores, oneDecimal), show(s.Together.Peak, mib),
			show(s.Read, mib), show(s.Write, mib), r.counted(s.Spawns), r.counted(s.Failed), s.exit()})
	}
	if all := append([][]string{heads}, rows...); !slices.ContainsFunc(r.Steps, func(s Step) bool { return s.SystemCPU != nil }) {
		all = without(all, "SYSTEM s")
		t.table(all[0], all[1:], "READ MiB", "WROTE MiB", "CORES", "SPAWNS")
		return
	}
	t.table(heads, rows, "SYSTEM s", "READ MiB", "WROTE MiB", "CORES", "SPAWNS")
}

// deathLines writes how processes died; of those for want of memory, who had it.
func (t *text) deathLines(r *RunReport) {
	if len(r.Deaths) > 0 {
		t.line("")
	}
	for i := range r.Deaths {
		d := &r.Deaths[i]
		step := ""
		if d.Sheet != nil {
			step = fmt.Sprintf("step %d  ", *d.Sheet)
		}
		how := d.how()
		t.line("%s %s  %s%d %s  %s", d.mark(), r.moment(d.Timestamp), step, d.PID, line(d.Command, 48), how)
		if d.Shortage != nil {
			t.shortageTable(d.Shortage)
		}
	}
	if r.MoreDeaths > 0 {
		t.line("  and %s more: proctape events --job %s --failed", grouped(r.MoreDeaths), line(r.JobID, 80))
	}
}

// anomalyLines writes what rules found.
func (t *text) anomalyLines(r *RunReport) {
	if len(r.Anomalies) > 0 {
		t.line("")
	}
	for i := range r.Anomalies {
		a := &r.Anomalies[i]
		length := ""
		if a.Ended == nil {
			length = ", and goes on"
		} else if *a.Ended > a.Started {
			length = ", for " + term.Span(*a.Ended-a.Started)
		}
		t.line("◆ %s  %s (%s)  %s%s", r.moment(a.Started), a.Rule, a.Severity, line(a.Description, 160), length)
	}
}

// shortageTable writes who had memory in the minute before a death: in the control group where that is known, else on the machine.
func (t *text) shortageTable(s *query.Shortage) {
	head, holders, count := "-IN ITS CGROUP", s.InGroup, s.GroupCount
	if len(holders) == 0 {
		head, holders, count = "-ON THE MACHINE", s.OnMachine, s.Count
	}
	if len(holders) == 0 {
		return
	}
	var rows [][]string
	for _, h := range holders {
		growth := "-"
		if h.Growth != nil {
			growth = fmt.Sprintf("%+.1f", *h.Growth)
		}
		name := line(h.Command, 40)
		if h.Victim {
			name += " ■"
		}
		rows = append(rows, []string{"  " + fmt.Sprint(h.PID), show(h.Before, mib), mib(h.RSS), growth, name})
	}
	t.table([]string{"  PID", "BEFORE MiB", "LAST MiB", "MiB/s", head}, rows)
	if more := count - len(holders); more > 0 {
		t.line("  and %d more", more)
	}
}

// processTable writes the largest processes.
func (t *text) processTable(r *RunReport) {
	if len(r.Largest) == 0 {
		return
	}
	t.line("")
	var rows [][]string
	for _, p := range r.Largest {
		step := "-"
		if p.Sheet != nil {
			step = fmt.Sprint(*p.Sheet)
		}
		life := show(p.Lifetime, term.Span)
		if !p.Ended {
			life = "-"
		}
		rows = append(rows, []string{fmt.Sprint(p.PID), step, show(p.PeakRSS, mib), show(p.CPUSeconds, seconds), life, line(p.Command, 100)})
	}
	t.table([]string{"PID", "STEP", "PEAK MiB", "CPU s", "LIVED", "-LARGEST PROCESSES"}, rows)
}

// leftTable writes what the run left behind.
func (t *text) leftTable(r *RunReport) {
	if len(r.Left) == 0 {
		return
	}
	t.line("")
	var rows [][]string
	for _, o := range r.Left {
		rows = append(rows, []string{fmt.Sprint(o.Process.PID), fmt.Sprintf("%d %s", o.BornOf.PID, line(o.BornOf.Command, 30)), show(o.CPUSince, seconds),
			mib(o.Process.RSS), o.Process.State, line(o.Process.Command, 100)})
	}
	t.table([]string{"PID", "-BORN OF", "CPU s SINCE", "MiB", "-NOW", "-LEFT BEHIND"}, rows)
}

// systemCalls writes the system calls that took most, where any were traced.
func (t *text) systemCalls(r *RunReport) {
	var calls []string
	for _, h := range r.Samples.Hotspots {
		text := fmt.Sprintf("%s %.1f %%", line(h.Name, 30), h.Time)
		if h.Calls != nil {
			text += fmt.Sprintf(" (%d)", *h.Calls)
		}
		calls = append(calls, text)
	}
	if len(calls) > 0 {
		t.line("")
		t.line("System calls, time summed over samples, and how many: %s", strings.Join(calls, ", "))
	}
}
