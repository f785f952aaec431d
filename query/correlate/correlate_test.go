package correlate

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/stats"
)

// made are runs of which a third fails. plant changes a run, of which it knows whether it fails and how much longer than others it takes: from 0 to 1.
func made(random *rand.Rand, n int, plant func(o *Observed, fails bool, slow float64)) []Observed {
	hosts, calls := []string{"web-1", "web-2", "web-3"}, []string{"futex", "read", "write"}
	runs := make([]Observed, n)
	for i := range runs {
		around := func(mean, spread float64) *float64 {
			v := mean * math.Exp(spread*random.NormFloat64())
			return &v
		}
		source, fails, slow := "cgroup", random.IntN(3) == 0, random.Float64()
		code, processes, start := int64(0), int64(100+random.IntN(50)), float64(1_000_000+1000*i)
		if fails {
			code = 1
		}
		end := start + 100*(1+slow)
		runs[i] = Observed{Run: query.Run{JobID: "j", Number: int64(i + 1), Host: hosts[random.IntN(3)], Started: start, Ended: &end, ExitCode: &code,
			Totals: query.Totals{CPUSeconds: around(50, 0.2), CPUSource: &source, PeakRSS: around(500, 0.3), PeakSource: &source, GroupPeak: around(900, 0.3),
				Read: around(100, 0.5), Write: around(200, 0.5), IOSource: &source, Processes: &processes}},
			Conditions: query.Conditions{CPUPressure: around(10, 0.5), MemoryPressure: around(1, 1), IOPressure: around(5, 1), Waited: around(8, 0.5),
				AnomaliesKnown: true, Anomalies: [][]string{nil, {"zombie"}, {"zombie", "leak"}}[random.IntN(3)],
				Hotspots: []query.Hotspot{{Name: calls[random.IntN(3)], Time: 80}, {Name: "mmap", Time: 20}}}}
		if plant != nil {
			plant(&runs[i], fails, slow)
		}
	}
	return runs
}

func scale(v **float64, by float64) { x := **v * by; *v = &x }

// planted are what is planted of each kind, and the type that is to stand out.
var planted = map[Word]func(o *Observed, fails bool, slow float64){
	"memory_vs_failure": func(o *Observed, fails bool, _ float64) {
		if fails {
			scale(&o.PeakRSS, 1.8)
		}
	},
	"cpu_vs_failure": func(o *Observed, fails bool, _ float64) {
		if fails {
			scale(&o.CPUSeconds, 1.5)
		}
	},
	"psi_memory_vs_failure": func(o *Observed, fails bool, _ float64) {
		if fails {
			scale(&o.Conditions.MemoryPressure, 8)
		}
	},
	"spawns_vs_failure": func(o *Observed, fails bool, _ float64) {
		if fails {
			*o.Processes += 40
		}
	},
	"duration_vs_failure": func(o *Observed, fails bool, _ float64) {
		if fails {
			end := *o.Ended + 80
			o.Ended = &end
		}
	},
	"syscall_vs_failure": func(o *Observed, fails bool, _ float64) {
		if o.Conditions.Hotspots[0].Name = "read"; fails {
			o.Conditions.Hotspots[0].Name = "futex"
		}
	},
	"anomaly_vs_failure": func(o *Observed, fails bool, _ float64) {
		if o.Conditions.Anomalies = nil; fails != (o.Number%9 == 0) {
			o.Conditions.Anomalies = []string{"memory_spike"}
		}
	},
	"host_vs_failure": func(o *Observed, fails bool, _ float64) {
		if *o.ExitCode = 0; (o.Host == "web-2") != (o.Number%8 == 0) {
			*o.ExitCode = 1
		}
	},
	"wait_vs_slowness":   func(o *Observed, _ bool, slow float64) { scale(&o.Conditions.Waited, 1+9*slow) },
	"psi_io_vs_slowness": func(o *Observed, _ bool, slow float64) { scale(&o.Conditions.IOPressure, math.Exp(4*slow)) },
	"read_vs_slowness":   func(o *Observed, _ bool, slow float64) { scale(&o.Read, 1+9*slow) },
	"host_vs_slowness": func(o *Observed, _ bool, slow float64) {
		if o.Host = "web-1"; slow > 0.7 {
			o.Host = "web-2"
		}
	},
}

// found reports whether a type stands out.
func (a *Answer) found(kind Word) bool {
	return slices.ContainsFunc(a.Correlations, func(c Correlation) bool { return c.Type == kind && c.StandsOut })
}

// TestCorrelate_FindsWhatIsPlanted holds the promise of correlate: of what is planted at least 95 % is found, of each kind, in 60 runs.
func TestCorrelate_FindsWhatIsPlanted(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	const trials = 100
	for kind, plant := range planted {
		random, found := rand.New(rand.NewPCG(11, 5)), 0
		for range trials {
			if Of(made(random, 60, plant), false).found(kind) {
				found++
			}
		}
		t.Logf("%s: found in %d of %d", kind, found, trials)
		if found < trials*95/100 {
			t.Errorf("%s was found in %d of %d trials", kind, found, trials)
		}
	}
}

// falseAlarms is in how many of so many jobs in which nothing goes with anything something stands out.
func falseAlarms(trials int, correct func([]float64) []float64) (alarms int) {
	random := rand.New(rand.NewPCG(2, 9))
	for range trials {
		a := of(made(random, 60, nil), false, correct)
		if slices.ContainsFunc(a.Correlations, func(c Correlation) bool { return c.StandsOut }) {
			alarms++
		}
	}
	return alarms
}

// TestCorrelate_FindsNothingInChance holds the other half of the promise: of jobs in which nothing goes with anything, in at most 5 % something stands out. The control:
// without the correction for many tests it is far more.
func TestCorrelate_FindsNothingInChance(t *testing.T) {
	trials := 400
	if testing.Short() {
		trials = 100
	}
	corrected := falseAlarms(trials, stats.FalseDiscovery)
	alone := falseAlarms(trials, func(p []float64) []float64 { return p })
	t.Logf("of %d jobs of chance something stands out in %d, without the correction in %d", trials, corrected, alone)
	if corrected > trials*5/100 {
		t.Errorf("something stands out in %d of %d jobs of chance", corrected, trials)
	}
	if alone <= trials*5/100 {
		t.Errorf("control: without the correction something stands out in only %d of %d", alone, trials)
	}
}

// TestCorrelate_SaysWhatItCannotTell: below the least number of runs nothing is tested, and the answer says so.
func TestCorrelate_SaysWhatItCannotTell(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	fails := func(few int) []Observed {
		runs := made(random, 40, nil)
		for i := range runs {
			if *runs[i].ExitCode = 0; i < few {
				*runs[i].ExitCode = 1
				scale(&runs[i].PeakRSS, 100)
			}
		}
		return runs
	}
	tested := func(a *Answer, kind Word) bool {
		return slices.ContainsFunc(a.Correlations, func(c Correlation) bool { return c.Type == kind })
	}
	few, enough := Of(fails(MinSide-1), false), Of(fails(MinSide), false)
	if tested(few, "memory_vs_failure") || !tested(enough, "memory_vs_failure") {
		t.Errorf("with %d failed runs memory is tested: %v; with %d: %v", MinSide-1, tested(few, "memory_vs_failure"), MinSide, tested(enough, "memory_vs_failure"))
	}
	if !enough.found("memory_vs_failure") {
		t.Error("memory a hundred times as large does not stand out")
	}
	at := slices.IndexFunc(few.Untested, func(u Untested) bool { return u.Type == "memory_vs_failure" })
	if at < 0 || !strings.Contains(few.Untested[at].Reason, "3 failed runs and 37 that ended well; 4 of each are needed") {
		t.Errorf("not tested: %+v", few.Untested)
	}
	none := Of(nil, false)
	if len(none.Correlations) != 0 || len(none.Untested) != 2*len(factors)-1+2*len(words) {
		t.Errorf("of no run: %d tests, %d not tested", len(none.Correlations), len(none.Untested))
	}
	var b strings.Builder
	if err := none.Text(&b, 80, true); err != nil || !strings.Contains(b.String(), "Nothing can be tested against failure: 0 failed") {
		t.Errorf("%v in\n%s", err, b.String())
	}
}

// TestCorrelate_LeavesOut: what is a lower bound, of another source or of an outcome that nobody knows does not count.
func TestCorrelate_LeavesOut(t *testing.T) {
	random := rand.New(rand.NewPCG(8, 1))
	runs := made(random, 60, planted["cpu_vs_failure"])
	n := func(change func(i int, o *Observed)) int {
		of := slices.Clone(runs)
		for i := range of {
			change(i, &of[i])
		}
		a := Of(of, false)
		return a.Correlations[slices.IndexFunc(a.Correlations, func(c Correlation) bool { return c.Type == "cpu_vs_failure" })].N
	}
	exits, samples := "exits", "samples"
	for name, c := range map[string]struct {
		got, want int
	}{
		"all":              {n(func(int, *Observed) {}), 60},
		"another source":   {n(func(i int, o *Observed) { o.CPUSource = map[bool]*string{true: &samples, false: o.CPUSource}[i < 5] }), 55},
		"by exits":         {n(func(i int, o *Observed) { o.CPUSource = map[bool]*string{true: &exits, false: o.CPUSource}[i < 5] }), 60},
		"a lower bound":    {n(func(i int, o *Observed) { o.LowerBound, o.CPUSource = i < 7, &exits }), 53},
		"by the group":     {n(func(i int, o *Observed) { o.LowerBound = i < 7 }), 60},
		"outcome unknown":  {n(func(i int, o *Observed) { o.ExitCode = map[bool]*int64{true: nil, false: o.ExitCode}[i < 6] }), 54},
		"CPU is not known": {n(func(i int, o *Observed) { o.CPUSeconds = map[bool]*float64{true: nil, false: o.CPUSeconds}[i < 6] }), 54},
	} {
		if c.got != c.want {
			t.Errorf("%s: %d runs count, want %d", name, c.got, c.want)
		}
	}
}

// TestCorrelate_LeavesOutWhatIsSmall: a difference that is sure, and smaller than what matters, does not stand out.
func TestCorrelate_LeavesOutWhatIsSmall(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	peak := func(more float64) *Answer {
		return Of(made(random, 60, func(o *Observed, fails bool, _ float64) {
			v := 100 + random.Float64()
			if fails {
				v += more
			}
			o.PeakRSS = &v
		}), false)
	}
	if small, large := peak(2), peak(6); small.found("memory_vs_failure") || !large.found("memory_vs_failure") {
		t.Errorf("2 MiB more: %v, 6 MiB more: %v", small.found("memory_vs_failure"), large.found("memory_vs_failure"))
	}
}

// TestCorrelate_KnowsWhatFollows: that failed runs have less of what adds up follows from their end, and is no line of a report.
func TestCorrelate_KnowsWhatFollows(t *testing.T) {
	random := rand.New(rand.NewPCG(6, 1))
	early := Of(made(random, 60, func(o *Observed, fails bool, _ float64) {
		if fails {
			scale(&o.CPUSeconds, 0.2)
		}
	}), false)
	if !early.found("cpu_vs_failure") || len(early.StandsOut(Failure)) != 0 || early.Line() != "" {
		t.Errorf("of runs that end early: %q", early.Line())
	}
	more := Of(made(random, 60, planted["cpu_vs_failure"]), false)
	if line := more.Line(); !strings.Contains(line, "failure goes with CPU time, s (") {
		t.Errorf("of failed runs with more CPU: %q", line)
	}
}
