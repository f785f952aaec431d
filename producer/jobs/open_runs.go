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
}

// openRuns holds the runs that may have to be closed by this program: those whose conductor is gone. The zero value holds none.
type openRuns struct {
	runs    map[schema.RunID]*openRun
	scanned bool
}

// apply takes in a job event of this host. An end without an id is that of the run of its job that was declared last.
func (o *openRuns) apply(e *schema.JobEvent) {
	switch {
	case e.Type == schema.JobEnded && e.Run.IsZero():
		if r := o.latest(e.JobID); r != nil {
			delete(o.runs, r.id)
		}
	case e.Type == schema.JobEnded:
		delete(o.runs, e.Run)
	case o.runs[e.Run] != nil:
		r := o.runs[e.Run]
		r.told = max(r.told, e.Wall)
	case e.Type == schema.JobDeclared && !e.Run.IsZero() && e.PID.V > 0:
		if o.runs == nil {
			o.runs = map[schema.RunID]*openRun{}
		}
		if len(o.runs) >= maxJobs {
			o.dropOldest()
		}
		o.runs[e.Run] = &openRun{job: e.JobID, id: e.Run, root: int(e.PID.V), start: e.StartTicks, declared: e.Wall, told: e.Wall, early: !o.scanned}
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
	delete(o.runs, oldest.id)
}

// noteExit takes in how a process ended that may be the root of a run.
func (o *openRuns) noteExit(e *schema.Event) {
	for _, r := range o.runs {
		if r.root == e.PID && SameStart(r.start, e.StartTicks) && e.Wall >= r.declared {
			r.exit, r.end = schema.Some(e.Wall), *e
		}
	}
}

// conclude returns the ends of runs whose root is gone, after a scan at a wall time, and forgets these runs. The root of a run that
// was declared before this program began may be one that it cannot see, such as one of another pid namespace: then the run goes on while a
// process of its job lives.
func (o *openRuns) conclude(wall int64, tree *processTree) (ends []schema.JobEvent) {
	o.scanned = true
	for id, r := range o.runs {
		m := tree.find(r.root, r.start)
		switch {
		case r.exit.Known:
		case m != nil && m.lastScan == tree.scans:
			r.alive, r.missing = wall, 0
			continue
		case r.alive == 0 && (!r.early || tree.hasProcessOf(hostJob(r.job))):
			continue
		case r.missing == 0:
			r.missing = wall
		}
		if wall-max(r.missing, r.exit.V) >= runPatience {
			ends = append(ends, r.concluded())
			delete(o.runs, id)
		}
	}
	return ends
}

// concluded is the end of a run whose root is gone.
func (r *openRun) concluded() schema.JobEvent {
	e := schema.JobEvent{Type: schema.JobEnded, JobID: r.job, Run: r.id, PID: schema.Some(int64(r.root)), StartTicks: r.start, Inferred: true, Status: "ended"}
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
	return e
}
