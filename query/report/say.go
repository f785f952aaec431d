package report

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/term"
)

// title names the run.
func (r *RunReport) title() string {
	name := line(r.JobID, 80)
	if r.Number > 0 {
		name += fmt.Sprintf(" run %d", r.Number)
	}
	if r.Fleet {
		return name + " of the fleet"
	}
	return name + " on " + r.Host
}

// verdict says how the run ended, with its mark.
func (r *RunReport) verdict() string {
	if r.Number == 0 && r.ExitCode == nil && r.Signal == nil {
		if r.Ended == nil {
			return "● has processes"
		}
		return "has no processes now; nobody declared it, so how it ended is not known"
	}
	switch {
	case r.Ended == nil:
		return "● running" + r.statusText()
	case r.Signal == nil && r.ExitCode == nil:
		return "? ended, and how is not known" + r.statusText()
	case r.Signal == nil && *r.ExitCode == 0:
		return "✓ ended, exit 0" + r.statusText()
	}
	v := "✗ FAILED"
	if s := r.failedStep(); s != nil {
		v += fmt.Sprintf(" in step %d", s.Sheet)
		if r.TotalSheets != nil {
			v += fmt.Sprintf(" of %d", *r.TotalSheets)
		}
	}
	v += ": "
	for i := range r.Deaths {
		if r.Deaths[i].OutOfMemory() {
			v += "out of memory, "
			break
		}
	}
	if r.Signal != nil {
		return v + "killed by " + signalName(*r.Signal) + r.statusText()
	}
	return v + fmt.Sprintf("exit %d", *r.ExitCode) + r.statusText()
}

func (r *RunReport) statusText() string {
	if r.Status == nil || *r.Status == "completed" || *r.Status == "failed" || *r.Status == "running" {
		return ""
	}
	return " (" + line(*r.Status, 60) + ")"
}

// failedStep is the last step that failed; nil when none did.
func (r *RunReport) failedStep() (failed *Step) {
	for i := range r.Steps {
		s := &r.Steps[i]
		if s.Signal != nil || s.ExitCode != nil && *s.ExitCode != 0 {
			failed = s
		}
	}
	return failed
}

// earlier says how the run before went, and whether there are later ones.
func (r *RunReport) earlier() string {
	var notes []string
	if r.Before != nil {
		notes = append(notes, fmt.Sprintf("run %d: %s in %s", r.Before.Number, r.Before.Outcome, term.Span(r.Before.Seconds)))
	}
	if !r.Newest {
		notes = append(notes, fmt.Sprintf("there are later ones, up to %d", r.LastRun))
	}
	if len(notes) == 0 {
		return ""
	}
	return "   (" + strings.Join(notes, "; ") + ")"
}

// usedCPU is the line of CPU time and of processes.
func (r *RunReport) usedCPU() string {
	s := "CPU " + show(r.CPUSeconds, seconds) + " s" + source(r.CPUSource)
	if r.SystemCPU != nil {
		s += fmt.Sprintf(", user %s, system %s", seconds(*r.UserCPU), seconds(*r.SystemCPU))
	}
	if r.Cores != nil {
		s += fmt.Sprintf(", %.1f", *r.Cores)
		if r.CPUs > 0 {
			s += fmt.Sprintf(" of %d", r.CPUs)
		}
		s += " cores"
	}
	if r.Spawns+r.Exits == 0 {
		return s + " · no start or end of its processes was seen"
	}
	return s + fmt.Sprintf(" · %s %s, %s failed", grouped(r.Spawns), plural(r.Spawns, "spawn", "spawns"), grouped(r.Failed))
}

// usedMemory is the line of memory, I/O and accelerators.
func (r *RunReport) usedMemory() string {
	s := "peak " + usedTogether(r) + show(r.PeakRSS, mib) + " MiB the largest" + source(r.PeakSource)
	if r.Samples.Mean != nil {
		s += " · mean " + mib(*r.Samples.Mean) + " MiB"
	}
	if r.Samples.Hugetlb != nil {
		s += fmt.Sprintf(" · %s MiB in huge pages, %s MiB the largest with them", mib(*r.Samples.Hugetlb), mib(*r.Samples.Largest))
	}
	s += fmt.Sprintf(" · read %s, wrote %s MiB", show(r.Read, mib), show(r.Write, mib))
	if r.Samples.GPUHours != nil {
		s += fmt.Sprintf(" · %.2f GPU hours", *r.Samples.GPUHours)
	}
	return s
}

// usedTogether is what all processes had at one time, with its source and why a figure that may be expected is not it; empty when it is not
// known, or only from the largest process.
func usedTogether(r *RunReport) string {
	t := &r.Together
	switch {
	case t.Peak == nil:
		return ""
	case *t.Source == "cgroup":
		return mib(*t.Peak) + " MiB together (cgroup, with page cache), "
	}
	var less string
	if r.GroupPeak != nil {
		less = "; the cgroup was charged " + mib(*r.GroupPeak) + " MiB, for pages that others had loaded do not count there"
	}
	switch {
	case *t.Source == "samples":
		return mib(*t.Peak) + " MiB together (samples" + less + "), "
	case less == "" && r.Samples.Peak == nil:
		return ""
	case less == "":
		less = "; no snapshot has more than " + mib(*r.Samples.Peak) + " MiB"
	}
	return "at least " + mib(*t.Peak) + " MiB together (the largest alone" + less + "), "
}

// source says by what a figure is known, where that is more than processes tell.
func source(of *string) string {
	if of == nil || *of == "exits" || *of == "samples" {
		return ""
	}
	return " (" + *of + ")"
}

// exit says how a step ended.
func (s *Step) exit() string {
	e := unknown
	switch {
	case s.Signal != nil:
		e = signalName(*s.Signal)
	case s.ExitCode != nil:
		e = fmt.Sprint(*s.ExitCode)
	case s.Ended == nil:
		e = "runs"
	}
	if s.OOMs > 0 {
		e += "  ■ OOM"
	}
	return e
}

func (d *Death) mark() string {
	switch {
	case d.OutOfMemory():
		return "■"
	case d.Signal != nil:
		return "▲"
	}
	return "✕"
}

// how says how a process died.
func (d *Death) how() string {
	how := "ended, and how is not known"
	switch {
	case d.OutOfMemory():
		how = "killed for want of memory"
	case d.Signal != nil:
		if how = "killed by " + signalName(*d.Signal); d.Core {
			how += ", which dumps core"
		}
	case d.ExitCode != nil:
		how = fmt.Sprintf("exit %d", *d.ExitCode)
	}
	if details := strings.TrimPrefix(d.Details, "out of memory: "); details != "" {
		how += ": " + line(details, 100)
	}
	return how
}

// known says how much of it is known.
func (r *RunReport) known() string {
	parts := []string{fmt.Sprintf("%s %s of it", grouped(r.Samples.Snapshots), plural(r.Samples.Snapshots, "snapshot", "snapshots"))}
	if r.Samples.Each > 1 {
		parts[0] += fmt.Sprintf(" read, one in %d", r.Samples.Each)
	}
	if r.Exits > 0 {
		parts = append(parts, fmt.Sprintf("I/O of %s of %s that ended", grouped(r.IOKnown), grouped(r.Exits)))
	}
	if line := query.Incomplete(r.Coverage, query.DataSnapshots, query.DataEvents, query.DataCPU); line != "" {
		parts = append(parts, line)
	} else {
		parts = append(parts, "all samples, starts and ends of its time")
	}
	if r.LowerBound {
		parts = append(parts, "ends may be missing, so sums of them are at least what it used")
	}
	if len(r.AtOnce) > 0 {
		parts = append(parts, r.atOnce())
	}
	return strings.Join(parts, " · ")
}

// atOnce says which other runs of the job went on at the same time, and whether their processes count here.
func (r *RunReport) atOnce() string {
	numbers := make([]string, len(r.AtOnce))
	for i, n := range r.AtOnce {
		numbers[i] = strconv.FormatInt(n, 10)
	}
	text := fmt.Sprintf("%s %s went on at the same time; ", plural(len(numbers), "run", "runs"), strings.Join(numbers, ", "))
	if r.ToldApart {
		return text + "its processes are told apart by descent"
	}
	return text + "what processes tell is of all of them, for this run's declaration names no process"
}

// counted shows a count of starts and ends; of a run of which none was seen it is not known.
func (r *RunReport) counted(n int64) string {
	if r.Spawns+r.Exits == 0 {
		return unknown
	}
	return grouped(n)
}
