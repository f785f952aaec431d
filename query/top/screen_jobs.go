package top

import (
	"fmt"
	"maps"
	"slices"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
	"github.com/proctape/proctape/schema"
)

// jobsTable lists jobs; Enter unfolds a job's runs, a run's steps, and a step's processes.
func jobsTable(m *Model) tableView {
	t := tableView{head: line{{" " + term.Pad("JOB", jobWidth, false) + "  STATE      STEP      WALL    CPU s   PEAK  PROCS  SPAWNS  FAILED", heading}},
		empty: "No job yet: proctape run --job NAME -- CMD"}
	if m.jobs == nil {
		t.empty = "reading"
		return t
	}
	for i := range m.jobs.Jobs {
		j := &m.jobs.Jobs[i]
		t.rows = append(t.rows, tableRow{jobLine(m, j), unfold(j.JobID), func(m *Model) { openStory(m, AskStory{Job: j.JobID, Host: j.Host}) }})
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
	l := append(line{{" " + foldMark(m.unfolded[j.JobID]), plain}}, markSpan(openOfJob(m, j))...)
	l = append(l, span{term.Pad(term.Fit(term.Safe(j.JobID), jobWidth+1-l.width()), jobWidth+3-l.width(), false), plain}, span{term.Pad(term.Fit(state, 10), 10, false), how})
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

// stepRows are the rows below a job: its runs, or where it has none its steps.
func stepRows(m *Model, j *query.Job) (rows []tableRow) {
	runs := m.jobs.Runs[j.JobID]
	for i := range runs {
		if r := &runs[i]; r.Fleet == j.Fleet && r.Host == j.Host {
			rows = append(rows, runRows(m, j, r)...)
		}
	}
	if len(rows) > 0 {
		return rows
	}
	steps := m.jobs.Steps[j.JobID]
	for _, n := range slices.Sorted(maps.Keys(steps)) {
		s := steps[n]
		rows = append(rows, foldedStep(m, j, n, "", "   ", "", fmt.Sprintf("%9s %8.1f %6s", "", s.CPUSeconds, sizeText(s.PeakRSS)), true)...)
	}
	if len(steps) == 0 {
		rows = processRows(jobRows(m, j, nil), "    ")
	}
	return rows
}

// runRows are the row of a run, and of one that is unfolded its steps; of one that goes on and has no steps, its processes.
func runRows(m *Model, j *query.Job, r *query.Run) []tableRow {
	name := "\x00run " + r.ID
	goesOn := r.Ended == nil
	to := shown(m)
	if !goesOn {
		to = *r.Ended
	}
	state, how := runState(r)
	l := append(line{{"   " + foldMark(m.unfolded[name]), plain}}, markSpan(openOfRun(m, j, r))...)
	l = append(l, line{{term.Pad(fmt.Sprintf("run %d", r.Number), jobWidth+3-l.width(), false), plain}, {term.Pad(term.Fit(state, 10), 10, false), how},
		{fmt.Sprintf(" %4s %s  %s", "", runFigures(max(0, to-r.Started), &r.Totals), m.zone.clock(r.Started)), plain}}...)
	rows := []tableRow{{l, unfold(name), func(m *Model) { openStory(m, AskStory{Job: j.JobID, Host: j.Host, Run: r.ID}) }}}
	if !m.unfolded[name] {
		return rows
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		wall, state := -1.0, map[bool]string{true: "● run"}[goesOn && s.Started != nil && s.Ended == nil]
		if s.Started != nil && s.Ended != nil {
			wall, state = *s.Ended-*s.Started, endedState(s.ExitCode, s.Signal)
		}
		rows = append(rows, foldedStep(m, j, s.Sheet, r.ID, "      ", state, runFigures(wall, &s.Totals), goesOn)...)
	}
	if len(r.Steps) == 0 && goesOn {
		rows = append(rows, processRows(jobRows(m, j, nil), "        ")...)
	}
	return rows
}

// openOfJob is the worst of the episodes about a job, its runs and its processes that go on; empty for none.
func openOfJob(m *Model, j *query.Job) schema.Severity {
	s, _ := worst(m.frame.Anomalies, func(a *query.Anomaly) bool { return ofJob(a, j) })
	return s
}

func ofJob(a *query.Anomaly, j *query.Job) bool {
	return a.JobID != nil && *a.JobID == j.JobID && a.Fleet == j.Fleet && (j.Host == "" || a.Host == j.Host)
}

// openOfRun is the worst of the episodes about a run, and of those of the job that began in it and go on; empty for none.
func openOfRun(m *Model, j *query.Job, r *query.Run) schema.Severity {
	s, _ := worst(m.frame.Anomalies, func(a *query.Anomaly) bool {
		return ofJob(a, j) && a.Run == nil && a.Started >= r.Started && (r.Ended == nil || *r.Ended > m.frame.At)
	})
	own, _ := worst(m.jobs.Found, func(a *query.Anomaly) bool { return a.Run != nil && *a.Run == r.ID })
	return worse(s, own)
}

// runFigures are the figures of a run or a step in the columns of the table; a wall time below 0 is not known.
func runFigures(wall float64, t *query.Totals) string {
	took := ""
	if wall >= 0 {
		took = spanText(wall)
	}
	return fmt.Sprintf("%9s %8s %6s", took, figureOr(t.CPUSeconds, func(v float64) string { return fmt.Sprintf("%.1f", v) }), figureOr(t.PeakRSS, sizeText))
}

// runState is how a run stands.
func runState(r *query.Run) (string, role) {
	switch {
	case r.Ended == nil:
		return "● run", good
	case r.Signal != nil, r.ExitCode != nil && *r.ExitCode != 0:
		return endedState(r.ExitCode, r.Signal), bad
	case r.ExitCode != nil:
		return endedState(r.ExitCode, r.Signal), good
	}
	return "ended", faint
}

// endedState is how a run or a step ended.
func endedState(code, signal *int64) string {
	switch {
	case signal != nil:
		return fmt.Sprintf("▲ sig %d", *signal)
	case code == nil:
		return "ended"
	case *code != 0:
		return fmt.Sprintf("✕ exit %d", *code)
	}
	return "✓ exit 0"
}

// foldedStep is the row of a step, and of one that is unfolded its processes: those that live, of a run that goes on.
func foldedStep(m *Model, j *query.Job, n int64, run, lead, state, figures string, goesOn bool) []tableRow {
	name := fmt.Sprintf("%s\x00%s\x00%d", j.JobID, run, n)
	var living []*Row
	if goesOn {
		living = jobRows(m, j, &n)
	}
	if len(living) > 0 {
		state = "● run"
	}
	l := line{{fmt.Sprintf("%s%s%s", lead, foldMark(m.unfolded[name]), term.Pad(fmt.Sprintf("step %d", n), max(1, jobWidth-len(lead)), false)), plain},
		{fmt.Sprintf("  %s %4s %s %6d", term.Pad(state, 10, false), "", figures, len(living)), plain}}
	rows := []tableRow{{l, unfold(name), nil}}
	if m.unfolded[name] {
		rows = append(rows, processRows(living, lead+"   ")...)
	}
	return rows
}

// processRows are rows of processes, which open their detail.
func processRows(of []*Row, lead string) (rows []tableRow) {
	for _, r := range of {
		id := r.ID()
		l := line{{fmt.Sprintf("%s%7d %s %5s %5s  ", lead, r.PID, stateText(r), columnNamed("cpu").cell(r, nil), columnNamed("rss").cell(r, nil)), plain}}
		l = append(append(l, markSpan(r.Severity)...), span{term.Safe(r.Command), plain})
		rows = append(rows, tableRow{l, func(m *Model) { openDetail(m, id) }, func(m *Model) { openStory(m, AskStory{ID: id}) }})
	}
	return rows
}
