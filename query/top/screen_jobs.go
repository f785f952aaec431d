package top

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// jobsTable lists jobs; Enter unfolds a job's steps, and a step's processes.
func jobsTable(m *Model) tableView {
	t := tableView{head: line{{" " + term.Pad("JOB", jobWidth, false) + "  STATE      STEP      WALL    CPU s   PEAK  PROCS  SPAWNS  FAILED", heading}},
		empty: "No job yet: proctape run --job NAME -- CMD"}
	if m.jobs == nil {
		t.empty = "reading"
		return t
	}
	for i := range m.jobs.Jobs {
		j := &m.jobs.Jobs[i]
		t.rows = append(t.rows, tableRow{jobLine(m, j), unfold(j.JobID)})
		if m.unfolded[j.JobID] {
			t.rows = append(t.rows, stepRows(m, j)...)
		}
	}
	return t
}

// jobWidth is how wide the names of jobs are.
const jobWidth = 20

// unfold shows the parts of a job or a step, and hides them.
func unfold(name string) func(*Model) {
	return func(m *Model) {
		m.unfolded[name] = !m.unfolded[name]
		askScreen(m)
	}
}

// jobLine is the row of a job: its figures are those of all that is recorded of it.
func jobLine(m *Model, j *query.Job) line {
	state, how := jobState(m, j)
	step := noFigure
	for i := range m.frame.Hosts {
		for _, p := range m.frame.Hosts[i].JobProgress {
			if p.JobID == j.JobID && p.CurrentSheet != nil {
				step = fmt.Sprint(*p.CurrentSheet)
				if p.TotalSheets != nil {
					step += fmt.Sprintf("/%d", *p.TotalSheets)
				}
			}
		}
	}
	wall := unknownFigure
	if j.FirstSeen != nil && j.LastSeen != nil {
		wall = spanText(*j.LastSeen - *j.FirstSeen)
	}
	l := line{{" " + foldMark(m.unfolded[j.JobID]) + term.Pad(term.Fit(term.Safe(j.JobID), jobWidth-1), jobWidth-1, false) + "  ", plain},
		{term.Pad(term.Fit(state, 10), 10, false), how}}
	return append(l, span{fmt.Sprintf(" %4s %9s %8.1f %6s %6d %7d %7d", step, wall, j.CPUSeconds, figureOr(j.PeakRSS, sizeText), j.PIDs, j.Spawns, j.Signals+j.OOMs), plain})
}

func foldMark(open bool) string {
	if open {
		return "-"
	}
	return "+"
}

// figureOr shows a figure, or that it is not known.
func figureOr(v *float64, show func(float64) string) string {
	if v == nil {
		return unknownFigure
	}
	return show(*v)
}

// jobState is how a job stands: what its conductor said, or else whether it has processes now.
func jobState(m *Model, j *query.Job) (string, role) {
	switch {
	case j.OOMs > 0 && j.ExitCode != nil && *j.ExitCode != 0:
		return "■ OOM", oom
	case j.ExitCode != nil && *j.ExitCode != 0:
		return fmt.Sprintf("✕ exit %d", *j.ExitCode), bad
	case len(jobRows(m, j, nil)) > 0:
		return "● run", good
	case j.ExitCode != nil:
		return "✓ exit 0", good
	case j.Status != nil:
		return term.Safe(*j.Status), plain
	}
	return "ended", faint
}

// jobRows are the processes of a job, or of a step of it, in the frame.
func jobRows(m *Model, j *query.Job, step *int64) (rows []*Row) {
	for i := range m.frame.Rows {
		r := &m.frame.Rows[i]
		if r.JobID != nil && *r.JobID == j.JobID && r.Fleet == j.Fleet && r.End == nil && (j.Host == "" || r.Host == j.Host) &&
			(step == nil || r.Sheet != nil && *r.Sheet == *step) {
			rows = append(rows, r)
		}
	}
	return rows
}

// stepRows are the rows below a job: its steps, and the processes of those that are unfolded; without steps, its processes. When runs
// are recorded, they stand between a job and its steps.
func stepRows(m *Model, j *query.Job) (rows []tableRow) {
	steps := m.jobs.Steps[j.JobID]
	for _, n := range slices.Sorted(maps.Keys(steps)) {
		s, name := steps[n], fmt.Sprintf("%s\x00%d", j.JobID, n)
		living := jobRows(m, j, &n)
		l := line{{fmt.Sprintf("   %s%s", foldMark(m.unfolded[name]), term.Pad(fmt.Sprintf("step %d", n), jobWidth-3, false)), plain},
			{fmt.Sprintf("  %-10s %4s %9s %8.1f %6s %6d", map[bool]string{true: "● run", false: ""}[len(living) > 0], "", "", s.CPUSeconds, sizeText(s.PeakRSS), len(living)), plain}}
		rows = append(rows, tableRow{l, unfold(name)})
		if m.unfolded[name] {
			rows = append(rows, processRows(living, "      ")...)
		}
	}
	if len(steps) == 0 {
		rows = processRows(jobRows(m, j, nil), "    ")
	}
	return rows
}

// processRows are rows of processes, which open their detail.
func processRows(of []*Row, lead string) (rows []tableRow) {
	for _, r := range of {
		id := r.ID()
		text := fmt.Sprintf("%s%7d %s %5s %5s  %s", lead, r.PID, stateText(r), columnNamed("cpu").cell(r, nil), columnNamed("rss").cell(r, nil), term.Safe(r.Command))
		rows = append(rows, tableRow{line{{strings.TrimRight(text, " "), plain}}, func(m *Model) { openDetail(m, id) }})
	}
	return rows
}
