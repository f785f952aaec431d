package jobs

import "github.com/proctape/proctape/schema"

// Owner is the job and the step that a process belongs to. The zero Owner is no job.
type Owner struct {
	Job        string
	Fleet      bool // the job is the fleet's, and not this host's own
	Sheet      schema.Opt[int64]
	asked      string            // the job as whoever claimed it named it; Job is another where that name is another user's
	user       schema.Opt[int64] // who claimed it; unknown where a rule did
	undeclared bool              // nobody declares the job's runs: the sampler does
	registered bool              // a job event gave the job, to the process or to one that it descends from
	publisher  *eventPublisher   // who publishes the process's events in the sampler's place; nil: nobody
}

// key names the owner's job.
func (o *Owner) key() schema.JobKey { return schema.JobKey{ID: o.Job, Fleet: o.Fleet} }

// setJob gives the owner another job, which whoever claimed it named otherwise.
func (o *Owner) setJob(key schema.JobKey) { o.Job, o.Fleet = key.ID, key.Fleet }

// eventPublisher is a program, such as proctape run, that publishes the events of a job's processes itself.
type eventPublisher struct {
	until int64 // boot time of the last event that it publishes; 0 while it is at work
}

// endAt notes that it publishes nothing of what happens after a boot time.
func (r *eventPublisher) endAt(boot int64) {
	if r != nil && (r.until == 0 || boot < r.until) {
		r.until = max(boot, 1)
	}
}
