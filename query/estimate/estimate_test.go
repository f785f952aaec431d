package estimate

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
)

// naive is what a quantile of the values that were seen is, which one more value exceeds more often than it says.
func naive(values []float64, chance float64) *float64 {
	return &values[max(0, int(math.Ceil(chance*float64(len(values))))-1)]
}

// TestQuantile_Holds: one more value like the others stays within a quantile at least as often as it says, however few there are. The control: a quantile
// of the values that were seen does not hold that.
func TestQuantile_Holds(t *testing.T) {
	const trials = 20_000
	random := rand.New(rand.NewPCG(4, 2))
	within := func(of func([]float64, float64) *float64, n int, chance float64) float64 {
		held := 0
		for range trials {
			values := make([]float64, n)
			for i := range values {
				values[i] = math.Exp(random.NormFloat64())
			}
			slices.Sort(values)
			if math.Exp(random.NormFloat64()) <= *of(values, chance) {
				held++
			}
		}
		return float64(held) / trials
	}
	for _, c := range []struct {
		n      int
		chance float64
	}{{9, 0.9}, {12, 0.9}, {19, 0.95}, {25, 0.95}, {10, 0.5}} {
		if got := within(quantile, c.n, c.chance); got < c.chance-0.005 {
			t.Errorf("of %d values: %.3f stay within the quantile of %g", c.n, got, c.chance)
		}
	}
	if got := within(naive, 12, 0.9); got > 0.89 {
		t.Errorf("control: of the values that were seen %.3f hold", got)
	}
	if quantile(make([]float64, 8), 0.9) != nil || quantile(make([]float64, 18), 0.95) != nil || quantile(nil, 0.5) != nil {
		t.Error("too few values have a quantile")
	}
}

// made are runs of a job of two steps.
func made(n int) []query.Run {
	source, runs := "cgroup", make([]query.Run, n)
	for i := range runs {
		v, end, zero, from, to := float64(i+1), 1000+float64(i+1), int64(0), 1000.0, 1000+float64(i+1)/2
		totals := query.Totals{CPUSeconds: &v, CPUSource: &source, PeakRSS: &v, PeakSource: &source}
		runs[i] = query.Run{Number: int64(i + 1), Started: 1000, Ended: &end, ExitCode: &zero, Totals: totals,
			Steps: []query.RunStep{{Sheet: 2, Started: &from, Ended: &to}, {Sheet: 1, Totals: totals}}}
	}
	return runs
}

func TestEstimate_Of(t *testing.T) {
	e := Of(made(19))
	if f := e.figure("cpu"); f == nil || f.N != 19 || *f.P50 != 10 || *f.P90 != 18 || *f.P95 != 19 || *f.Most != 19 || *f.Sure != 0.95 {
		t.Errorf("CPU of 19 runs: %+v", f)
	}
	if len(e.Steps) != 2 || e.Steps[0].Sheet != 1 || e.Steps[1].Figures[0].Name != "duration" || *e.Steps[1].Figures[0].P50 != 5 {
		t.Errorf("steps: %+v", e.Steps)
	}
	if *e.Memory != 19 || e.MemoryOf != "peak_rss" || *e.CPUSeconds != 19 || *e.Confidence != 0.95 {
		t.Errorf("keys of older readers: %v of %s, %v, %v", *e.Memory, e.MemoryOf, *e.CPUSeconds, *e.Confidence)
	}
	few := Of(made(3))
	if f := few.figure("duration"); f.P90 != nil || *f.Most != 3 || *few.Confidence != 0.75 {
		t.Errorf("of three runs: %+v, confidence %v", f, *few.Confidence)
	}
	none := Of(nil)
	if none.Memory != nil || none.Confidence != nil || none.Figures == nil {
		t.Errorf("of no run: %+v", none)
	}
}

// TestEstimate_LeavesOut: runs that failed, that nobody saw end, and lower bounds do not count.
func TestEstimate_LeavesOut(t *testing.T) {
	runs, one, exits := made(10), int64(1), "exits"
	runs[0].ExitCode = &one
	runs[1].ExitCode = nil
	runs[2].Inferred = true
	runs[3].LowerBound, runs[3].CPUSource = true, &exits
	e := Of(runs)
	if e.Runs != 8 || e.Failed != 1 || e.Other != 1 || e.figure("duration").N != 7 || e.figure("cpu").N != 7 || e.figure("peak_rss").N != 8 {
		t.Errorf("%d runs, %d failed, %d others; %+v", e.Runs, e.Failed, e.Other, e.Figures)
	}
	var b strings.Builder
	if err := e.Text(&b, 100); err != nil || !strings.Contains(b.String(), "by 8 that ended well (1 failed)") {
		t.Errorf("%v in\n%s", err, b.String())
	}
}
