package jobs

import (
	"github.com/proctape/proctape/schema"
)

// runPatience is how long the end of a run is awaited from who declared it, when its root is gone: it may be under way. Nanoseconds.
const runPatience = 2e9

// openRun is a run of this host that was declared and of which no end has been told.
type openRun struct {
	job      string // as its conductor named it
	id       schema.RunID
	root     int // pid; the run has ended when it is gone
	start    uint64
	declared int64 // Unix ns, as are all times here
	told     int64 // when its conductor last told of it
	early    bool  // it was declared before the first scan
	alive    int64 // when a scan last had the root; 0: none had
	missing  int64 // since when scans do not have the root
	exit     schema.Opt[int64]
	end      schema.Event // of the root, where exit is known

	// Of a run that nobody declares: it has ended when no process of its job is left.
	undeclared bool
	last       int64 // when the last of its processes ended, as far as that was seen
	steps      map[int64]*openStep
}

// openStep is a step of a run that nobody declares.
type openStep struct {
	began   int64 // Unix ns; 0: it was not told yet
	missing int64 // since when it has no process
	last    int64 // when the last of its processes ended
}

// openRuns holds the runs that may have to be closed by this program: those whose conductor is gone. The zero value holds none.
type openRuns struct {
	runs       map[schema.RunID]*openRun
	undeclared map[string]*openRun // those of runs that nobody declares, by their jobs
	scanned    bool
}

// add begins to follow a run, in the place of the oldest when there are too many.
func (o *openRuns) add(r *openRun) {
	if o.runs == nil {
		o.runs, o.undeclared = map[schema.RunID]*openRun{}, map[string]*openRun{}
	}
	if len(o.runs) >= maxJobs {
		o.dropOldest()
	}
	o.runs[r.id] = r
	if r.undeclared {
		o.undeclared[r.job] = r
	}
}

// remove follows a run no longer; nil is none.
func (o *openRuns) remove(r *openRun) {
	if r == nil {
		return
	}
	delete(o.runs, r.id)
	if o.undeclared[r.job] == r {
		delete(o.undeclared, r.job)
	}
}

// apply takes in a job event of this host. An end without an id is that of the run of its job that was declared last.
func (o *openRuns) apply(e *schema.JobEvent) {
	switch {
	case e.Type == schema.JobEnded && e.Run.IsZero():
		o.remove(o.latest(e.JobID))
	case e.Type == schema.JobEnded:
		o.remove(o.runs[e.Run])
	case o.runs[e.Run] != nil:
		r := o.runs[e.Run]
		r.told = max(r.told, e.Wall)
	case e.Type == schema.JobDeclared && !e.Run.IsZero() && e.PID.V > 0:
		o.add(&openRun{job: e.JobID, id: e.Run, root: int(e.PID.V), start: e.StartTicks, declared: e.Wall, told: e.Wall, early: !o.scanned, undeclared: e.Inferred})
	}
}

// latest is the run of a job that was declared last; nil for none.
func (o *openRuns) latest(job string) (last *openRun) {
	for _, r := range o.runs {
		if r.job == job && (last == nil || r.declared > last.declared) {
			last = r
		}
	}
	return last
}

// dropOldest drops the run that was declared first. It stays open in the record.
func (o *openRuns) dropOldest() {
	var oldest *openRun
	for _, r := range o.runs {
		if oldest == nil || r.declared < oldest.declared {
			oldest = r
		}
	}
	o.remove(oldest)
}

// noteExit takes in how a process ended that may be the root of a run.
func (o *openRuns) noteExit(e *schema.Event) {
	if r := o.undeclared[e.JobID]; r != nil && !e.Fleet {
		r.last = max(r.last, e.Wall)
		if s := r.steps[e.Sheet.V]; s != nil && e.Sheet.Known {
			s.last = max(s.last, e.Wall)
		}
	}
	for _, r := range o.runs {
		if r.root == e.PID && SameStart(r.start, e.StartTicks) && e.Wall >= r.declared {
			r.exit, r.end = schema.Some(e.Wall), *e
		}
	}
}

// concluded is the end of a run whose root is gone.
func (r *openRun) concluded() (e schema.JobEvent) {
	e = schema.JobEvent{Type: schema.JobEnded, JobID: r.job, Run: r.id, PID: schema.Some(int64(r.root)), StartTicks: r.start, Inferred: true, Status: "ended"}
	switch {
	case r.exit.Known && (r.end.ExitCode.Known || r.end.Signal.Known):
		e.Wall, e.ExitCode, e.Signal = r.exit.V, r.end.ExitCode, r.end.Signal
		e.Details = "its process ended and told nothing: the outcome is that of the process"
		if e.Status = "completed"; e.Signal.Known || e.ExitCode.V != 0 {
			e.Status = "failed"
		}
	case r.exit.Known:
		e.Wall, e.Details = r.exit.V, "not known: its process ended and told nothing"
	case r.alive > 0:
		e.Wall, e.Since, e.Details = r.missing, schema.Some(max(r.alive, r.told)), "not known: its process is gone and told nothing"
	default:
		e.Wall, e.Since, e.Details = r.missing, schema.Some(r.told), "not known: the recorder was away"
	}
	if r.last > 0 { // its last process
		e.Wall, e.Since = r.last, schema.Opt[int64]{}
	}
	return e
}
