package procfs

// needs says what is to be read of a process besides its stat.
type needs struct {
	often  bool // soon again: files stay open
	memory bool
	owner  bool
	usage  bool // I/O, descriptors and their limit
	status bool // context switches
	args   bool // the command line
	env    bool // with the command line, the environment, if any of it is asked for
	cgroup bool
}

// markUnknown marks unknown what reading what e needs would have found.
func (e *entry) markUnknown(need needs) {
	p := &e.process
	if need.memory {
		p.MemoryValues, p.MemoryKnown = MemoryValues{}, false
	}
	if need.usage {
		p.IOValues, p.IOKnown = IOValues{}, false
		p.OpenFDs, p.FDsKnown = 0, false
		p.FDLimit, p.FDLimitKnown = 0, false
	}
	if need.status {
		p.StatusValues, p.StatusKnown = StatusValues{}, false
		p.RunDelay, p.RunDelayKnown = 0, false
	}
	if need.owner {
		p.UID, p.UIDKnown = 0, false
	}
}
