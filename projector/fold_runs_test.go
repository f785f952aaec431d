package projector

import (
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema"
)

// runEvents are the events of n runs of one job, each under an id: declared, a step, and its end with totals.
func runEvents(n int) []schema.JobEvent {
	some := schema.Some[int64]
	var list []schema.JobEvent
	for i := range n {
		at := int64(1_795_400_000+100*i) * 1e9
		id := schema.RunID{byte(37 * (i + 1)), 1}
		list = append(list,
			schema.JobEvent{Type: schema.JobDeclared, Wall: at, JobID: "j", Run: id, PID: some(int64(100 + i)), StartTicks: 7, Status: "running"},
			schema.JobEvent{Type: schema.JobSheetStarted, Wall: at + 1e9, JobID: "j", Run: id, Sheet: some(1)},
			schema.JobEvent{Type: schema.JobSheetEnded, Wall: at + 2e9, JobID: "j", Run: id, Sheet: some(1), ExitCode: some(0)},
			schema.JobEvent{Type: schema.JobEnded, Wall: at + 5e9, JobID: "j", Run: id, Inferred: true, Since: some(at + 2e9)},
			schema.JobEvent{Type: schema.JobEnded, Wall: at + 3e9, JobID: "j", Run: id, ExitCode: some(int64(i)), Status: "done",
				Totals: &schema.Totals{CPUMicros: some(int64(1000 * i)), CPUSource: schema.FromWait}})
	}
	return list
}

// foldRuns folds job events, one a message, in their order, and returns the rows of runs and steps.
func foldRuns(t *testing.T, events []schema.JobEvent) string {
	t.Helper()
	p, log := newTape(t, -1), newLog()
	defer p.close()
	h := newHost("alpha")
	for i := range events {
		p.fold(log.publish(h.jobs(events[i])))
	}
	return runRows(p)
}

func runRows(p *tape) string {
	return strings.Join(slices.Concat(
		p.rows(`SELECT printf('run %s %d %s %s %s %s %s %s %s %s', substr(run_id, 1, 2), declared, started, ended, ended_since, inferred, exit_code, status, pid, cpu_us) FROM runs ORDER BY started`),
		p.rows(`SELECT printf('step %s %d %s %s %s', substr(run_id, 1, 2), sheet_num, started, ended, exit_code) FROM run_steps ORDER BY run_id`)), "\n")
}

// What is said of runs under their ids gives the same rows in whatever order it comes, and an end that was seen replaces one that
// was concluded. The control is an end that differs.
func TestFold_RunsInAnyOrder(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	events := runEvents(3)
	want := foldRuns(t, events)
	if n := strings.Count(want, "run "); n != 3 || strings.Contains(want, " 1 running") {
		t.Fatalf("got\n%s, want three runs", want)
	}
	roll := seeded(7)
	for range 12 {
		mixed := slices.Clone(events)
		for i := range mixed {
			j := i + roll(len(mixed)-i)
			mixed[i], mixed[j] = mixed[j], mixed[i]
		}
		if got := foldRuns(t, mixed); got != want {
			t.Fatalf("in another order: got\n%s\nwant\n%s", got, want)
		}
	}
	events[4].ExitCode = schema.Some[int64](9)
	if got := foldRuns(t, events); got == want {
		t.Error("another exit code gives the same rows")
	}
}

// What a conductor says without ids is of the run that it declared last: a second run does not touch the first. A step that
// nobody declared a run for joins the steps before it, and begins another run when it comes again.
func TestFold_RunsWithoutIDs(t *testing.T) {
	some := schema.Some[int64]
	said := func(what schema.JobEventType, wall int64, job string, change func(*schema.JobEvent)) schema.JobEvent {
		e := schema.JobEvent{Type: what, Wall: (1_795_400_000 + wall) * 1e9, JobID: job}
		if change != nil {
			change(&e)
		}
		return e
	}
	code := func(c int64) func(*schema.JobEvent) { return func(e *schema.JobEvent) { e.ExitCode = some(c) } }
	step := func(n int64) func(*schema.JobEvent) {
		return func(e *schema.JobEvent) { e.Sheet, e.Join, e.ExitCode = some(n), true, some(0) }
	}
	p, log := newTape(t, -1), newLog()
	defer p.close()
	h := newHost("alpha")
	var deliveries []*received
	for _, e := range []schema.JobEvent{
		said(schema.JobDeclared, 1, "a", nil), said(schema.JobEnded, 2, "a", code(4)),
		said(schema.JobDeclared, 3, "a", nil), said(schema.JobProgressed, 4, "a", nil), said(schema.JobEnded, 5, "a", code(0)),
		said(schema.JobSheetStarted, 1, "b", step(1)), said(schema.JobSheetEnded, 2, "b", step(1)),
		said(schema.JobSheetStarted, 3, "b", step(2)), said(schema.JobSheetEnded, 4, "b", step(2)),
		said(schema.JobSheetStarted, 5, "b", step(1)), said(schema.JobSheetEnded, 6, "b", step(1)),
	} {
		deliveries = append(deliveries, log.publish(h.jobs(e)))
	}
	p.fold(deliveries...)
	got := strings.Join(p.rows(`SELECT printf('%s %d-%d exit %d steps %d', job_id, started - 1795400000, ended - 1795400000, exit_code,
		(SELECT count(*) FROM run_steps s WHERE s.job_id = r.job_id AND s.run_id = r.run_id)) FROM runs r ORDER BY job_id, started`), "; ")
	const want = "a 1-2 exit 4 steps 0; a 3-5 exit 0 steps 0; b 1-4 exit 0 steps 2; b 5-6 exit 0 steps 1"
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
