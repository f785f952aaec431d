package jobs

import (
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
)

// Name is the name under which a job is recorded: without what looks like a secret in it. Jobs whose names differ in
// nothing else are one. Name(Name(job)) is Name(job), so a name may pass several programs.
func Name(job string) string { return procfs.ValidText(scrub.Text(job), schema.MaxName) }

// scrubEvent returns the event as it is recorded.
func scrubEvent(e *schema.JobEvent) *schema.JobEvent {
	out := *e
	out.JobID = Name(e.JobID)
	out.Status = procfs.ValidText(scrub.Text(e.Status), schema.MaxName)
	out.Command = procfs.ValidText(scrub.Text(e.Command), schema.MaxText)
	out.Details = procfs.ValidText(scrub.Text(e.Details), schema.MaxText)
	return &out
}

// A knownName keeps the name of the last job that it was asked for: a process names the same job in every scan.
type knownName struct{ job, name string }

func (k *knownName) of(job string) string {
	if job != k.job {
		k.job, k.name = job, Name(job)
	}
	return k.name
}
