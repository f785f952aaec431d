package run

import (
	"time"

	"github.com/proctape/proctape/schema"
)

// Config says what to run.
type Config struct {
	// Args is the command and its arguments. The command is looked up in PATH as execvp(3) does.
	Args []string
	// Env is added to the environment that we have ourselves, and wins where a name is in both.
	Env []string
	// Cgroup names the job in the name of the control group to be made for the command; any text will do. No group is made
	// when it is empty.
	Cgroup string
}

// Command is a command that was started. Wait has to be called, once.
type Command struct {
	// PID is the command's process id.
	PID int
	// StartTicks is when the command started, as in procfs.Process. It is unknown when the process may not be read: a
	// command that became another user, on a /proc that hides those (hidepid, man proc(5)).
	StartTicks schema.Opt[uint64]
	// Started is when it was about to be started.
	Started time.Time
	// Cgroup is the path of the control group made for it, as /proc/PID/cgroup has it; empty without one.
	Cgroup string
	// NoCgroup says why there is no group though one was asked for.
	NoCgroup error

	leaf      *leaf
	legacy    *legacy
	signals   *signals
	strangers map[int]bool       // children that we had before
	floorKiB  schema.Opt[uint64] // what a child's maximum RSS must exceed to be its own and not ours
	maxRSSKiB uint64             // of a process that was waited for, as the kernel says
	childless bool               // no child is left
	result    Result
}
