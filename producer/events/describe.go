package events

import (
	"errors"

	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
)

// Describer describes processes to a lifecycle source: it reads what /proc says of them now.
type Describer struct {
	FS       *procfs.FS
	Options  procfs.Options
	Scrubber *scrub.Scrubber
	Claims   *jobs.Claims // is given what was read; may be nil
}

// Describe describes the process that has the pid. Ok is false when it is gone.
func (d Describer) Describe(pid int) (description lifecycle.Description, ok bool) {
	p, err := d.FS.Process(pid, d.Options)
	if errors.Is(err, procfs.ErrGone) || p.StartTicks == 0 && err != nil {
		return lifecycle.Description{}, false
	}
	if d.Claims != nil {
		d.Claims.AddRunning(&p)
	}
	description = lifecycle.Description{PPID: p.PPID, StartTicks: p.StartTicks, Command: d.Scrubber.Command(p.Comm, p.Args)}
	if p.UIDKnown {
		description.UID = schema.Some(int64(p.UID))
	}
	return description, true
}
