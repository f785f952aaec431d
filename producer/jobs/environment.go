package jobs

import (
	"strconv"

	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// The variables by which a process names its job, and the step of it. They are read from the environment with which the
// process was started, and children inherit them.
const (
	EnvJob   = "PROCTAPE_JOB_ID"
	EnvSheet = "PROCTAPE_SHEET"
)

// EnvSyscalls is the variable by which a process asks, with 1, for its system calls, and those of what it starts, to be counted.
const EnvSyscalls = "PROCTAPE_SYSCALLS"

// EnvRun is the variable by which a command finds the id of its run, for what it tells of its job itself.
const EnvRun = "PROCTAPE_RUN"

// ownerFromEnvironment is the owner that an environment names, if it names a job that can be stored: by our own variables, or else by those of
// a preset. A step that is no number is left out.
func ownerFromEnvironment(env map[string]string, others Presets) (o Owner, named bool) {
	job := env[EnvJob]
	if job == "" || job != procfs.ValidText(job, schema.MaxName) {
		return others.owner(env)
	}
	o.Job = job
	if n, err := strconv.ParseInt(env[EnvSheet], 10, 32); err == nil {
		o.Sheet = schema.Some(n)
	}
	return o, true
}
