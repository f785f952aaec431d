package jobs

import (
	"testing"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// runWorld is a sampler's view of runs: scans of a few pids at given seconds.
type runWorld struct {
	*testing.T
	*Claims
}

// scan shows processes that began at 10 ticks, at a second, and returns the runs that are concluded.
func (w *runWorld) scan(second int64, pids ...int) []schema.JobEvent {
	var procs []procfs.Process
	for _, pid := range pids {
		procs = append(procs, procfs.Process{PID: pid, PPID: 1, StartTicks: 10, State: 'S'})
	}
	w.Observe(procs)
	return w.TellRuns(second*1e9, 0, false)
}

// declare declares run id of a job at a second, with the root pid.
func (w *runWorld) declare(id byte, job string, second, pid int64) {
	w.ApplyJobEvent(&schema.JobEvent{Type: schema.JobDeclared, Wall: second * 1e9, JobID: job, Run: schema.RunID{id}, PID: schema.Some(pid), StartTicks: 10}, 0)
}

func newRunWorld(t *testing.T) *runWorld { return &runWorld{t, NewClaims(Naming{}, 0, nil)} }

func (w *runWorld) wantNone(ends []schema.JobEvent, when string) {
	w.Helper()
	if len(ends) > 0 {
		w.Errorf("%s: got ends %+v, want none", when, ends)
	}
}

func (w *runWorld) wantOne(ends []schema.JobEvent, id byte, wall, since, code, signal schema.Opt[int64]) {
	w.Helper()
	if len(ends) != 1 {
		w.Fatalf("got %d ends, want 1: %+v", len(ends), ends)
	}
	e := ends[0]
	if !e.Inferred || e.Run != (schema.RunID{id}) || e.Wall != wall.V*1e9 || e.Since != since || e.ExitCode != code || e.Signal != signal {
		w.Errorf("got %+v", e)
	}
}

// A run whose root is gone has ended, some time after the end could still have been told.
func TestConcludeRuns(t *testing.T) {
	some, none := schema.Some[int64], schema.Opt[int64]{}

	w := newRunWorld(t)
	w.wantNone(w.scan(1), "nothing was declared")
	w.declare(1, "j", 2, 50)
	w.wantNone(w.scan(3, 50), "the root lives")
	w.wantNone(w.scan(4), "the end may be under way")
	w.wantNone(w.scan(5), "the end may be under way")
	w.wantOne(w.scan(6), 1, some(4), some(3e9), none, none)
	w.wantNone(w.scan(7), "it was concluded")

	w = newRunWorld(t)
	w.scan(1)
	w.declare(1, "j", 2, 50)
	w.scan(3, 50)
	w.NoteExit(&schema.Event{PID: 50, StartTicks: 11, Wall: 4e9, Signal: some(9)})
	w.wantNone(w.scan(5), "the end may be under way")
	w.wantOne(w.scan(7), 1, some(4), none, none, some(9))
}

// A run that ended while nobody recorded is closed at the next start; one whose root cannot be seen goes on while its job lives.
func TestConcludeRuns_AtStart(t *testing.T) {
	some, none := schema.Some[int64], schema.Opt[int64]{}
	w := newRunWorld(t)
	w.declare(1, "gone", 2, 50)
	w.declare(2, "lives", 3, 60)
	w.declare(3, "elsewhere", 4, 70)
	child := procfs.Process{PID: 80, PPID: 1, StartTicks: 10, State: 'S', Env: map[string]string{EnvJob: "elsewhere"}}
	for second := range int64(4) {
		w.Observe([]procfs.Process{{PID: 60, PPID: 1, StartTicks: 10, State: 'S'}, {PID: 50, PPID: 1, StartTicks: 99, State: 'S'}, child})
		ends := w.TellRuns((100+second)*1e9, 0, false)
		if second == 2 {
			w.wantOne(ends, 1, some(100), some(2e9), none, none)
		} else {
			w.wantNone(ends, "no other run has ended")
		}
	}
}

// Ends that are told close a run, with its id or without; a second run of the name does not touch the first. The control is that
// without the told end the run is concluded, as above.
func TestConcludeRuns_Told(t *testing.T) {
	w := newRunWorld(t)
	w.scan(1)
	w.declare(1, "j", 2, 50)
	w.declare(2, "j", 3, 60)
	w.scan(4, 50, 60)
	w.ApplyJobEvent(&schema.JobEvent{Type: schema.JobEnded, Wall: 5e9, JobID: "j"}, 0) // of the second, which was declared last
	w.scan(6, 50)
	w.wantNone(w.scan(9, 50), "the first goes on")
	w.scan(10)
	w.wantOne(w.scan(13), 1, schema.Some[int64](10), schema.Some[int64](9e9), schema.Opt[int64]{}, schema.Opt[int64]{})
}
