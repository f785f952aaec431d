package correlate

import "github.com/proctape/proctape/query"

// Observed is a run that has ended, and what is known of what it ran under.
type Observed struct {
	query.Run
	Conditions query.Conditions
}

func (o *Observed) failed() bool { return o.Signal != nil || o.ExitCode != nil && *o.ExitCode != 0 }

func (o *Observed) well() bool { return o.Signal == nil && o.ExitCode != nil && *o.ExitCode == 0 }

// seconds is how long the run took; nil where nobody saw its end.
func (o *Observed) seconds() *float64 {
	if o.Ended == nil || o.Inferred {
		return nil
	}
	took := *o.Ended - o.Started
	return &took
}

// A factor is a number of a run.
type factor struct {
	name        Word
	label, unit string
	sums        bool // it adds up while a run goes on
	of          func(*Observed) (value *float64, source *string)
}

// Where numbers are from that do not say so themselves.
var clock, cgroup, exits, snapshots = "clock", "cgroup", "exits", "snapshots"

// condition is a factor that snapshots tell.
func condition(of func(*query.Conditions) *float64) func(*Observed) (*float64, *string) {
	return func(o *Observed) (*float64, *string) { return of(&o.Conditions), &snapshots }
}

// factors are the numbers, in the order in which they are told.
var factors = []factor{
	{"memory", "peak of the largest process", "MiB", false, func(o *Observed) (*float64, *string) { return o.PeakRSS, o.PeakSource }},
	{"group_memory", "peak of the control group", "MiB", false, func(o *Observed) (*float64, *string) { return o.GroupPeak, &cgroup }},
	{"duration", "time", "s", true, func(o *Observed) (*float64, *string) { return o.seconds(), &clock }},
	{"cpu", "CPU time", "s", true, func(o *Observed) (*float64, *string) { return o.CPUSeconds, o.CPUSource }},
	{"read", "read from storage", "MiB", true, func(o *Observed) (*float64, *string) { return o.Read, o.IOSource }},
	{"write", "written to storage", "MiB", true, func(o *Observed) (*float64, *string) { return o.Write, o.IOSource }},
	{"spawns", "processes", "", true, func(o *Observed) (*float64, *string) {
		if o.Processes == nil {
			return nil, nil
		}
		n := float64(*o.Processes)
		return &n, &exits
	}},
	{"wait", "waiting for a CPU", "s", true, condition(func(c *query.Conditions) *float64 { return c.Waited })},
	{"psi_cpu", "CPU pressure", "%", false, condition(func(c *query.Conditions) *float64 { return c.CPUPressure })},
	{"psi_memory", "memory pressure", "%", false, condition(func(c *query.Conditions) *float64 { return c.MemoryPressure })},
	{"psi_io", "I/O pressure", "%", false, condition(func(c *query.Conditions) *float64 { return c.IOPressure })},
}

// fromRecords is how many of the factors, the first ones, are in records of runs.
const fromRecords = 7

// A word is what a run has some of, or none.
type word struct {
	name  Word
	label string
	of    func(*Observed) (values []string, known bool)
}

// dominant is the share of the time of all system calls that one must take to be the run's.
const dominant = 0.35

var words = []word{
	{"syscall", "mostly in system call", func(o *Observed) ([]string, bool) {
		if call := o.Conditions.Dominant(dominant); call != "" {
			return []string{call}, true
		}
		return nil, len(o.Conditions.Hotspots) > 0
	}},
	{"anomaly", "with anomaly", func(o *Observed) ([]string, bool) { return o.Conditions.Anomalies, o.Conditions.AnomaliesKnown }},
	{"host", "on host", func(o *Observed) ([]string, bool) {
		if o.Host != "" {
			return []string{o.Host}, true
		}
		return o.Conditions.Hosts, len(o.Conditions.Hosts) > 0
	}},
}

// sampled is the source of figures that samples alone tell of.
const sampled = "samples"

// known is a number of a run, and whether samples alone tell it; nil where it is not known, or only a lower bound.
func (f *factor) known(o *Observed) (v *float64, bySamples bool) {
	v, source := f.of(o)
	if v == nil || o.LowerBound && (source == nil || *source == exits || *source == sampled) {
		return nil, false
	}
	return v, source != nil && *source == sampled
}

// measured are the runs of which a factor is known, with its values. A lower bound is not known; and what the kernel told at ends is not
// set against what samples saw: of the two, those that more runs have count.
func (f *factor) measured(runs []*Observed) (of []*Observed, values []float64) {
	by := map[bool]int{}
	for _, o := range runs {
		if v, s := f.known(o); v != nil {
			by[s]++
		}
	}
	most := by[true] > by[false]
	for _, o := range runs {
		if v, s := f.known(o); v != nil && s == most {
			of, values = append(of, o), append(values, *v)
		}
	}
	return of, values
}
