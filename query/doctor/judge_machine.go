package doctor

import (
	"fmt"
	"strings"
)

// judgeMachine judges the kernel, the limits and the clock.
func judgeMachine(f Facts) []Check {
	m := f.Machine
	by := "a user who is not root"
	if m.Root {
		by = "root"
	}
	checks := []Check{{Part: "machine", Name: "kernel", State: Note, Detail: fmt.Sprintf("Linux %s, %s; proctape runs as %s", m.Kernel, m.Processor, by)}}
	space := Check{Part: "machine", Name: "namespaces", State: There, Detail: "the machine's own"}
	if m.Contained && m.Proc != "" {
		space.Detail = "a container's; processes are read of " + m.Proc + ", and starts and ends as the sources below say"
	} else if m.Contained {
		space.State, space.Detail = Lacks, "a container's: the other processes of the machine are not seen"
		space.Grant, space.Costs = "start the container with --pid=host --network=host", "the container sees all processes of the machine"
	}
	types := Check{Part: "machine", Name: "types", State: Note, Detail: "the kernel does not describe its types (BTF); nothing of this version needs that"}
	if m.Types {
		types.Detail = "the kernel describes its types (BTF); nothing of this version needs that"
	}
	return append(checks, space, judgeGroups(f), types, judgeFiles(m), judgeMemory(m), judgeClock(f.Clock))
}

// judgeGroups judges control groups, which tell all that a run used.
func judgeGroups(f Facts) Check {
	c := Check{Part: "machine", Name: "control groups", State: There, Detail: strings.Join(f.Machine.Hierarchies, " and ") + "; a run gets one of its own"}
	switch {
	case len(f.Machine.Hierarchies) == 0:
		c.State, c.Detail, c.Grant = Lacks, "none is mounted: a run's use is summed over its processes", "mount -t cgroup2 none /sys/fs/cgroup"
		c.Costs = "nothing that can be measured"
	case f.RunGroup != "":
		c.State, c.Detail = Lacks, strings.Join(f.Machine.Hierarchies, " and ")+"; a run gets none of its own: "+f.RunGroup
		c.Grant = "systemd-run --user --scope -p Delegate=yes proctape run …"
		if f.Machine.Root || f.Machine.Contained {
			c.Grant = "mount -o remount,rw /sys/fs/cgroup"
		}
		c.Costs = "nothing that can be measured; without it a run's use is summed over its processes"
	}
	return c
}

// wantedFiles is how many files a sampler wants to open: two for each process, and its own.
func wantedFiles(processes int) uint64 { return uint64(min(2*processes, 2*8192) + 256) }

func judgeFiles(m Machine) Check {
	want := wantedFiles(m.Processes)
	c := Check{Part: "machine", Name: "open files", State: There, Detail: fmt.Sprintf("%d may be open; for %d processes %d are wanted", m.Files, m.Processes, want)}
	if m.Files < want {
		c.State, c.Grant = Lacks, fmt.Sprintf("ulimit -n %d", max(want, 4096))
		c.Costs = "about 1 KiB of the kernel's memory for each; without it a sample takes more CPU"
	}
	return c
}

// leastMemory is enough to record, in bytes: docs/trouble.md.
const leastMemory = 128 << 20

func judgeMemory(m Machine) Check {
	c := Check{Part: "machine", Name: "memory", State: There, Detail: fmt.Sprintf("%s; 128 MiB are enough to record, and 256 MiB to replay", m.MemoryBy)}
	if m.Total > 0 && m.Memory != m.Total {
		c.Detail = fmt.Sprintf("%s; the machine has %d MiB; 128 MiB are enough to record, and 256 MiB to replay", m.MemoryBy, m.Total>>20)
	}
	switch {
	case m.Memory == 0:
		c.State, c.Detail = Note, "not known"
	case m.Memory < leastMemory:
		c.State, c.Grant = Lacks, "allow the control group 128 MiB"
	}
	return c
}

func judgeClock(k Clock) Check {
	c := Check{Part: "machine", Name: "clock", State: There, Detail: "a time service keeps it"}
	switch {
	case !k.Known:
		c.State, c.Detail = Note, "the kernel does not say who keeps it"
	case !k.Kept:
		c.State, c.Detail = Lacks, "no time service keeps it: times of several machines cannot be compared"
		c.Grant, c.Costs = "timedatectl set-ntp true", "a service that asks time servers"
	}
	return c
}
