package schema

import (
	"errors"

	"github.com/proctape/proctape/schema/metric"
)

// Bounds on what a message may hold. A message beyond one is refused whole, before anything is allocated for it.
const (
	MaxMessage   = 16 << 20 // bytes of a decoded message
	MaxJSON      = 1 << 20  // bytes of a message in JSON
	MaxProcesses = 1 << 16
	MaxCommand   = metric.MaxCommand // bytes; a long command has "…" in its middle
	MaxText      = 16 << 10          // bytes of any other text
	MaxName      = metric.MaxName    // bytes of a job id, a reason, a status, a system call's name
	maxSyscalls  = 1 << 16           // in all processes of a snapshot
	maxList      = 1024              // elements of the short lists: GPUs, drops, capabilities, jobs, system calls
)

// ErrVersion is returned for a message of a schema version this build does not know.
var ErrVersion = errors.New("unknown schema version")
