package producer

import (
	"strconv"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// The environment variables by which a process says whose it is.
const (
	EnvJob   = "PROCTAPE_JOB_ID"
	EnvSheet = "PROCTAPE_SHEET"
)

// owner is the job and step that a process belongs to. The zero owner is nobody's.
type owner struct {
	job   string
	sheet schema.Opt[int64]
}

// attribution remembers whose each process is. A process belongs to the job that its environment names, else to
// its parent's at the time it was first seen; it keeps it when its parent ends.
type attribution struct {
	owners map[int]owned
}

type owned struct {
	start uint64
	owner owner
}

// assign gives every process of a scan its owner, and forgets those that are gone.
func (a *attribution) assign(procs []procfs.Process) map[int]owned {
	byPID := make(map[int]*procfs.Process, len(procs))
	for i := range procs {
		byPID[procs[i].PID] = &procs[i]
	}
	now := make(map[int]owned, len(procs))
	for i := range procs {
		a.resolve(&procs[i], byPID, now, 0)
	}
	a.owners = now
	return now
}

// resolve finds one process's owner, its parent's first if need be: a parent may have the higher pid.
func (a *attribution) resolve(p *procfs.Process, byPID map[int]*procfs.Process, now map[int]owned, depth int) owner {
	const deepest = 512 // a chain of parents that changes while it is read could otherwise be a ring
	if o, ok := now[p.PID]; ok {
		return o.owner
	}
	o, named := fromEnvironment(p.Env)
	if old, ok := a.owners[p.PID]; !named && ok && old.start == p.StartTicks {
		o = old.owner
	} else if parent := byPID[p.PPID]; !named && parent != nil && depth < deepest {
		o = a.resolve(parent, byPID, now, depth+1)
	}
	now[p.PID] = owned{p.StartTicks, o}
	return o
}

// fromEnvironment is the owner that a process's environment names. A sheet that is no number is unknown; a job
// that could not be stored is none.
func fromEnvironment(env map[string]string) (o owner, named bool) {
	job := env[EnvJob]
	if job == "" || job != validText(job, schema.MaxName) {
		return owner{}, false
	}
	o.job = job
	if n, err := strconv.ParseInt(env[EnvSheet], 10, 32); err == nil {
		o.sheet = schema.Some(n)
	}
	return o, true
}
