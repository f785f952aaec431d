package schema

// JobKey names a job on a host: the host's own job of a name and the fleet's are two. Whose host it is, whoever uses the key
// knows.
type JobKey struct {
	ID    string // the job's name
	Fleet bool   // it is the fleet's: a conductor declared it for all hosts
}

// Job returns the job that an event of a process belongs to; its ID is empty for none.
func (e *Event) Job() JobKey { return jobKey(e.JobID, e.Fleet) }

// Job returns the job that an exec belongs to; its ID is empty for none.
func (e *Exec) Job() JobKey { return jobKey(e.JobID, e.Fleet) }

// jobKey is the key of a job; no job is nobody's.
func jobKey(id string, fleet bool) JobKey { return JobKey{id, fleet && id != ""} }
