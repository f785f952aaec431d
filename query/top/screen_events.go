package top

import (
	"fmt"
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
	gaps := len(m.events.Gaps) - 1
	for i := len(m.events.Events) - 1; i >= 0; i-- {
		e := &m.events.Events[i]
		for ; gaps >= 0 && m.events.Gaps[gaps].Timestamp >= e.Timestamp; gaps-- {
			t.rows = append(t.rows, gapRow(m, &m.events.Gaps[gaps]))
		}
		id := ID{Host: e.Host, PID: e.PID, Start: e.StartTicks}
		t.rows = append(t.rows, tableRow{eventLine(m, e), func(m *Model) { goToDeath(m, e.Timestamp, id) }, func(m *Model) { openStory(m, AskStory{ID: id}) }})
	}
	return t
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
		whose = *e.JobID
		if e.Sheet != nil {
			whose += fmt.Sprintf("·%d", *e.Sheet)
		}
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
