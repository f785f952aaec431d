package doctor

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proctape/proctape/schema"
)

// privilegesFor are the Linux capabilities by which a user who is not root gets an ability.
var privilegesFor = map[schema.Capability][]string{
	schema.CapProcesses:       {sysPtrace},
	schema.CapIO:              {dacReadSearch, sysPtrace},
	schema.CapEventsTaskstats: {netAdmin},
	schema.CapEventsConnector: {netAdmin},
	schema.CapOOM:             {syslog},
	schema.CapBPF:             {bpf, perfmon},
}

// costs are what abilities cost that are there. docs/performance.md has the measurements.
var costs = map[schema.Capability]string{
	schema.CapProcesses:       "8 µs of CPU for each process that sleeps and sample, 30 µs for one that works",
	schema.CapEventsTaskstats: "29 µs of CPU for each process that starts and ends, with all that is made of it",
	schema.CapPSI:             "3 files a sample",
}

// names are what the checks of abilities are called.
var names = map[schema.Capability]string{
	schema.CapArgvFull: "command lines", schema.CapArgvScrubbed: "command lines", schema.CapArgvNone: "command lines",
	schema.CapEventsBPF: "source bpf", schema.CapEventsTaskstats: "source taskstats", schema.CapEventsConnector: "source connector", schema.CapEventsPidfd: "source pidfd",
	schema.CapEventsScan: "source scan", schema.CapPSI: "pressure", schema.CapOOM: "kills", schema.CapGPU: "GPUs", schema.CapIO: "I/O", schema.CapBPF: "programs",
}

// judgeSampler judges what a sampler can see.
func judgeSampler(f Facts) (checks []Check) {
	for _, a := range f.Abilities {
		name := schema.Capability(a.Name)
		c := Check{Part: "sampler", Name: names[name], State: There, Detail: a.Detail, Costs: costs[name]}
		switch {
		case c.Name == "" && a.Name == "":
			c.Name = "other"
		case c.Name == "":
			c.Name = a.Name
		}
		switch {
		case a.Have:
		case a.Quiet && name == schema.CapGPU:
			c.State, c.Detail = Note, "none is here"
		case a.Quiet:
			c.State, c.Detail, c.Costs = Note, "not here, and not needed: "+a.Detail, ""
		default:
			c.State = Lacks
			c.Grant, c.Costs = f.grant(a)
		}
		checks = append(checks, c)
	}
	return checks
}

// grant is what grants an ability that is missing, and what that costs.
func (f Facts) grant(a Ability) (command, costs string) {
	lacking := f.lacking(schema.Capability(a.Name))
	switch {
	case len(lacking) == 0 && len(privilegesFor[schema.Capability(a.Name)]) > 0 && !f.Machine.Contained:
		return "no command: this process has " + strings.ToUpper(strings.Join(privilegesFor[schema.Capability(a.Name)], ", ")) +
			", so a security module or a user namespace keeps it from the others", ""
	case len(lacking) == 0:
		return a.Grant, ""
	case f.Machine.Contained:
		var flags []string
		for _, p := range f.allLacking() {
			flags = append(flags, "--cap-add="+strings.ToUpper(strings.TrimPrefix(p, "cap_")))
		}
		return "start the container with --pid=host --network=host " + strings.Join(flags, " "), "the container may do that on the whole machine"
	case f.Machine.Root:
		return a.Grant, "root may do that again"
	}
	// All of them in each command: setcap takes away what it does not name.
	return fmt.Sprintf("sudo setcap %s+ep %s", strings.Join(f.allLacking(), ","), f.Machine.Program),
		"whoever may execute that file may then do that too: let one group execute it alone"
}

// lacking are the Linux capabilities that an ability needs and the process does not have.
func (f Facts) lacking(name schema.Capability) (lacking []string) {
	for _, p := range privilegesFor[name] {
		if !slices.Contains(f.Machine.Privileges, p) {
			lacking = append(lacking, p)
		}
	}
	return lacking
}

// allLacking are those of all abilities that are missing.
func (f Facts) allLacking() (lacking []string) {
	for _, a := range f.Abilities {
		if !a.Have && !a.Quiet {
			lacking = append(lacking, f.lacking(schema.Capability(a.Name))...)
		}
	}
	slices.Sort(lacking)
	return slices.Compact(lacking)
}
