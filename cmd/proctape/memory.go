package main

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/proctape/proctape/producer/cgroup"
	"github.com/proctape/proctape/projector"
	"github.com/proctape/proctape/schema/state"
)

// mostMemory is what the garbage collector keeps below unless something allows less or more, in bytes.
const mostMemory = 512 << 20

// memory is what the program takes of it.
type memory struct {
	limit  int64 // that the garbage collector keeps below; 0 for none
	reason string
	room   int64 // that the control groups and the machine allow the program altogether; what is kept in memory follows from it
}

// available is how much memory the control groups and the machine allow, and who allows the least.
func available(root string, machine int64) (bytes int64, reason string) {
	if g, ok := cgroup.FindLimit(root); ok && (machine == 0 || g.Bytes < machine) {
		return g.Bytes, fmt.Sprintf("%s allows %s", g.File, mib(g.Bytes))
	}
	return machine, fmt.Sprintf("the machine has %s", mib(machine))
}

// fitMemory says what the program takes of what is available. Half of a small group is the garbage collector's: the database's
// pages, the program's own code and the kernel's buffers are beside it. asked is what the user wants, in bytes; negative when he
// says nothing.
func fitMemory(available int64, reason string, asked int64, environment string) memory {
	m := memory{limit: mostMemory, reason: "the default", room: available}
	switch {
	case asked >= 0:
		m.limit, m.reason = asked, "--memory-limit-mb"
	case environment != "" && environment != "off":
		m.limit, m.reason = -1, "GOMEMLIMIT"
	case available > 0 && available/2 < m.limit:
		m.limit, m.reason = available/2, reason
	}
	return m
}

// readMemory is fitMemory on this machine.
func readMemory(asked int64) memory {
	var machine int64
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		machine = int64(info.Totalram) * int64(info.Unit)
	}
	room, reason := available("/", machine)
	return fitMemory(room, reason, asked, os.Getenv("GOMEMLIMIT"))
}

// set has the garbage collector keep to the limit, and returns what it keeps to.
func (m memory) set() memory {
	switch {
	case m.limit > 0:
		debug.SetMemoryLimit(m.limit)
	case m.limit < 0: // the runtime has read it
		m.limit = debug.SetMemoryLimit(-1)
	}
	return m
}

// share is what a part of the program may keep in memory: most, or a share of a room that is small.
func (m memory) share(most, parts int64) int64 {
	if m.room <= 0 {
		return most
	}
	return max(min(most, m.room/parts), 256<<10)
}

// projector is what a projector may keep.
func (m memory) projector() projector.Memory {
	return projector.Memory{Decoded: m.share(32<<20, 16), Ahead: m.share(16<<20, 32), Writer: m.share(16<<20, 32), Reader: m.share(8<<20, 128)}
}

// queue is how much may wait in a sampler.
func (m memory) queue() int { return int(m.share(64<<20, 8)) }

// state is what the program says of it.
func (m memory) state() state.Memory { return state.Memory{Limit: m.limit, Reason: m.reason} }

// String says what is kept to and why, for people.
func (m memory) String() string {
	if m.limit == 0 {
		return "no limit (" + m.reason + ")"
	}
	return fmt.Sprintf("%s at most (%s)", mib(m.limit), m.reason)
}

// mib is a size in MiB, for people.
func mib(bytes int64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(bytes)/(1<<20)), ".0") + " MiB"
}
