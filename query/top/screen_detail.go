package top

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// detailTable is what is known of one process: its figures over the last hour, its parents, and what happened to it.
func detailTable(m *Model) tableView {
	t := tableView{head: line{{fmt.Sprintf(" process %d on %s", m.of.PID, term.Safe(m.of.Host)), heading}}, empty: "reading"}
	if m.detail == nil || m.detail.ID != m.of {
		return t
	}
	add := func(label, text string, how role) {
		t.rows = append(t.rows, tableRow{line: line{{" " + term.Pad(label, 10, false), accent}, {text, how}}})
	}
	p := detailProcess(m)
	if p == nil && len(m.detail.Events) == 0 && len(m.detail.Anomalies) == 0 {
		t.empty = "Nothing is recorded of it within the hour before this time."
		return t
	}
	if p != nil {
		for i, part := range pieces(term.Safe(p.Command), max(20, m.width-14)) {
			add(map[bool]string{true: "command"}[i == 0], part, plain)
		}
		add("born of", parents(m, p), plain)
		whose := userText(p, &m.names)
		if p.JobID != nil {
			whose += "   job " + term.Safe(jobText(p, nil))
		}
		if p.Cgroup != nil {
			whose += "   " + term.Safe(*p.Cgroup)
		}
		add("user", whose, plain)
	}
	for i := range slices.Backward(m.detail.Anomalies) {
		t.rows = append(t.rows, foundRow(m, &m.detail.Anomalies[i], 10))
	}
	detailFigures(m, p, add)
	for i := len(m.detail.Events) - 1; i >= 0; i-- {
		e := &m.detail.Events[i]
		t.rows = append(t.rows, tableRow{eventLine(m, e), func(m *Model) { goToTrouble(m, e.Timestamp, m.of) }, nil})
	}
	return t
}

// foundRow is an episode on the page of what it is about. Enter goes to its start.
func foundRow(m *Model, a *query.Anomaly, label int) tableRow {
	id, _ := aboutProcess(a)
	mark, how := anomalyMark(a.Severity)
	return tableRow{line: line{{" " + term.Pad("anomaly", label, false), accent}, {mark + " " + term.Safe(a.Rule), how},
		{fmt.Sprintf("  since %s, %s: %s", m.zone.clock(a.Started), lengthText(a, shown(m)), term.Safe(a.Description)), plain}},
		enter: func(m *Model) { goToTrouble(m, a.Started, id) }}
}

// detailProcess is the process as it was last seen: in the frame, or in its history.
func detailProcess(m *Model) *Row {
	if i := slices.IndexFunc(m.frame.Rows, func(r Row) bool { return r.ID() == m.of }); i >= 0 {
		return &m.frame.Rows[i]
	}
	if n := len(m.detail.Points); n > 0 {
		return &Row{Host: m.of.Host, Process: &m.detail.Points[n-1].Process}
	}
	return nil
}

// detailFigures adds the figures, those that have a history with a sparkline.
func detailFigures(m *Model, p *Row, add func(label, text string, how role)) {
	if p == nil {
		return
	}
	for _, name := range []string{"cpu", "rss"} {
		c := columnNamed(name)
		var points []point
		most := 0.0
		for i := range m.detail.Points {
			v, known := c.value(&Row{Process: &m.detail.Points[i].Process})
			points, most = append(points, point{v, known}), max(most, v)
		}
		cells := max(10, min(m.width-40, 60))
		add(c.Head, fmt.Sprintf("%6s  %s  most %s", c.cell(p, nil), m.glyphs.spark(points, most, min(cells, max(1, len(points)))), c.unit.show(most)), plain)
	}
	figures := func(names ...string) string {
		var parts []string
		for _, name := range names {
			c := columnNamed(name)
			parts = append(parts, strings.ToLower(c.Head)+" "+c.cell(p, nil))
		}
		return strings.Join(parts, "   ")
	}
	add("used", figures("time", "age", "read", "written", "cancelled", "reads", "writes"), plain)
	add("network", figures("sent", "received", "net"), plain)
	add("memory", figures("vms", "swap", "hugetlb", "gpu", "faults", "major"), plain)
	add("runs", figures("threads", "fds", "switches", "involuntary", "delay"), plain)
	if calls := topCalls(p.SyscallTimes); calls != "" {
		add("calls", calls, plain)
	}
}

// topCalls are the system calls that took most of the time, as a tracer saw them; empty without one.
func topCalls(times json.RawMessage) string {
	var percent map[string]float64
	if json.Unmarshal(times, &percent) != nil {
		return ""
	}
	names := make([]string, 0, len(percent))
	for name := range percent {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return compare(percent[b], percent[a])*2 + strings.Compare(a, b) })
	var parts []string
	for _, name := range names[:min(5, len(names))] {
		parts = append(parts, fmt.Sprintf("%s %.0f %%", term.Safe(name), percent[name]))
	}
	return strings.Join(parts, "   ")
}

// parents names the parents that a process has now, the nearest first.
func parents(m *Model, p *Row) string {
	var names []string
	seen := map[int64]bool{}
	for pid := p.PPID; pid > 0 && !seen[pid] && len(names) < 8; {
		seen[pid] = true
		i := slices.IndexFunc(m.frame.Rows, func(r Row) bool { return r.Host == p.Host && r.PID == pid && r.End == nil })
		if i < 0 {
			names = append(names, fmt.Sprintf("%d (not here now)", pid))
			break
		}
		names = append(names, fmt.Sprintf("%s %d", commandName(m.frame.Rows[i].Command), pid))
		pid = m.frame.Rows[i].PPID
	}
	if len(names) == 0 {
		return "no process"
	}
	return strings.Join(names, " ‹ ")
}

// pieces cuts a text into lines of so many cells.
func pieces(s string, cells int) (parts []string) {
	for len(parts) < 8 && term.Width(s) > cells {
		n := 0
		for i := range s {
			if term.Width(s[:i]) > cells {
				break
			}
			n = i
		}
		parts, s = append(parts, s[:n]), s[n:]
	}
	return append(parts, s)
}
