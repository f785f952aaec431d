package top

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// eventsTable lists what happened before the time, the newest first. Enter goes to the time of an event.
func eventsTable(m *Model) tableView {
	t := tableView{head: line{{" TIME          WHAT            PID COMMAND          WHOSE            CAUSE", heading}}, empty: "No event was recorded before this time."}
	if m.events == nil {
		t.empty = "reading"
		return t
	}
	type timed struct {
		at  float64
		row tableRow
	}
	var rows []timed
	for i := range m.events.Gaps {
		rows = append(rows, timed{m.events.Gaps[i].Timestamp, gapRow(m, &m.events.Gaps[i])})
	}
	for i := range m.events.Events {
		e := &m.events.Events[i]
		id := ID{Host: e.Host, PID: e.PID, Start: e.StartTicks}
		rows = append(rows, timed{e.Timestamp, tableRow{eventLine(m, e), func(m *Model) { goToTrouble(m, e.Timestamp, id) }, func(m *Model) { openStory(m, AskStory{ID: id}) }}})
	}
	for i := range m.events.Anomalies {
		rows = append(rows, timed{m.events.Anomalies[i].Started, anomalyRow(m, &m.events.Anomalies[i])})
	}
	slices.SortStableFunc(rows, func(a, b timed) int { return compare(a.at, b.at) })
	for _, r := range slices.Backward(rows) {
		t.rows = append(t.rows, r.row)
	}
	return t
}

// anomalyRow is the start of an episode among the events. Enter goes there; what more there is to tell is that of the process, the job or the host.
func anomalyRow(m *Model, a *query.Anomaly) tableRow {
	row := tableRow{line: anomalyLine(m, a)}
	id, of := aboutProcess(a)
	row.enter = func(m *Model) { goToTrouble(m, a.Started, id) }
	switch {
	case of:
		row.tell = func(m *Model) { openStory(m, AskStory{ID: id}) }
	case a.JobID != nil:
		q := AskStory{Job: *a.JobID, Host: a.Host}
		if a.Fleet {
			q.Host = ""
		}
		if a.Run != nil {
			q.Run = *a.Run
		}
		row.tell = func(m *Model) { openStory(m, q) }
	default:
		row.tell = func(m *Model) { openDetail(m, ID{Host: a.Host}) }
	}
	return row
}

// anomalyLine is the row of the start of an episode.
func anomalyLine(m *Model, a *query.Anomaly) line {
	mark, how := anomalyMark(a.Severity)
	of := whatOf(a)
	if a.PID != nil && a.JobID != nil {
		of += ", " + term.Safe(jobStep(*a.JobID, a.Sheet))
	}
	return line{{" " + m.zone.millis(a.Started) + "  ", faint}, {mark + " " + term.Safe(a.Rule), how}, {" " + of + ", " + lengthText(a, shown(m)), plain},
		{": " + term.Safe(a.Description), faint}}
}

// jobStep names a job, with its step where that is known.
func jobStep(job string, step *int64) string {
	if step == nil {
		return job
	}
	return fmt.Sprintf("%s·%d", job, *step)
}

// gapRow is a gap among the events.
func gapRow(m *Model, g *query.Gap) tableRow {
	text := fmt.Sprintf(" %s  ▨ gap %s", m.zone.millis(g.Timestamp), strings.ReplaceAll(term.Safe(string(g.Kind)), "_", " "))
	if g.Count != nil {
		text += fmt.Sprintf(", %d missing", *g.Count)
	}
	row := tableRow{line: line{{text, gap}}}
	if g.From != nil {
		at := *g.From
		row.line[0].text += " from " + m.zone.clock(at)
		row.enter = func(m *Model) { m.screen = processesScreen; goTo(m, at) }
	}
	return row
}

// eventLine is the row of an event.
func eventLine(m *Model, e *query.Event) line {
	mark, how, what := "·", plain, e.Type
	if e.Type != "spawn" {
		mark, how = deathMark(e)
		what = endText(e)
	}
	whose := ""
	if e.JobID != nil {
		whose = jobStep(*e.JobID, e.Sheet)
	}
	cause := e.Details
	if cause == "" && e.Lifetime != nil {
		cause = "lived " + spanText(*e.Lifetime)
		if e.Within != nil {
			cause += " at most"
		}
	}
	return line{{" " + m.zone.millis(e.Timestamp) + "  ", faint}, {mark + " " + term.Pad(term.Fit(what, 9), 9, false), how},
		{fmt.Sprintf("%7d %s %s %s", e.PID, term.Pad(term.Fit(commandName(e.Command), 16), 16, false), term.Pad(term.Fit(term.Safe(whose), 16), 16, false), term.Safe(cause)), plain}}
}
