package top

import (
	"fmt"

	"github.com/proctape/proctape/query/term"
)

// storyTable is what is told of a process or a run, as text.
func storyTable(m *Model) tableView {
	of := fmt.Sprintf("process %d on %s", m.storyOf.ID.PID, m.storyOf.ID.Host)
	if m.storyOf.Job != "" {
		of = "job " + m.storyOf.Job
	}
	t := tableView{head: line{{" " + term.Safe(of), heading}, {"   Esc goes back", faint}}, empty: "reading"}
	if m.trouble != nil {
		t.empty = "It could not be read."
	}
	if m.story == nil {
		return t
	}
	for _, text := range m.story.Lines {
		t.rows = append(t.rows, tableRow{line: line{{" " + term.Safe(text), plain}}})
	}
	return t
}
