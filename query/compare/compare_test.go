package compare

import (
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/query"
)

// made are simulated runs whose figures vary as those of builds do: by some percent, CPU and time together.
func made(random *rand.Rand, n int, cpu float64) []query.Run {
	cgroup := "cgroup"
	runs := make([]query.Run, n)
	for i := range runs {
		around := func(mean, spread float64) *float64 {
			v := mean * (1 + spread*random.NormFloat64())
			return &v
		}
		load := 1 + 0.02*random.NormFloat64()
		c, end, count, zero := 100*cpu*load*(1+0.01*random.NormFloat64()), 1000+60*load*(1+0.03*random.NormFloat64()), int64(200+random.IntN(3)), int64(0)
		runs[i] = query.Run{JobID: "j", Number: int64(i + 1), Started: 1000, Ended: &end, ExitCode: &zero, Totals: query.Totals{CPUSeconds: &c, CPUSource: &cgroup,
			PeakRSS: around(800, 0.04), PeakSource: &cgroup, Read: around(300, 0.1), Write: around(500, 0.05), IOSource: &cgroup, Processes: &count}}
	}
	return runs
}

func compared(runs, against []query.Run) *Comparison {
	return Of(sideOf("j", runs), sideOf("j", against), runs, against, DefaultMinRelative)
}

func (c *Comparison) figure(name string) *Figure {
	return &c.Figures[slices.IndexFunc(c.Figures, func(f Figure) bool { return f.Name == name })]
}

// TestCompare_FindsChanges holds the promise of compare: of pairs of five runs a side without a change at most 5 % get an alarm, of those
// with 20 % more CPU at least 95 % are found. The control: of the same pairs with shuffled labels hardly any is found.
func TestCompare_FindsChanges(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 21))
	const pairs = 2000
	alarms, found, shuffled := 0, 0, 0
	for range pairs {
		before := made(random, 5, 1)
		if slices.ContainsFunc(compared(made(random, 5, 1), before).Figures, func(f Figure) bool { return f.Verdict == More || f.Verdict == Less }) {
			alarms++
		}
		now := made(random, 5, 1.2)
		if c := compared(now, before); c.figure("cpu").Verdict == More {
			found++
		}
		all := slices.Concat(before, now)
		random.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		if v := compared(all[:5], all[5:]).figure("cpu").Verdict; v == More || v == Less {
			shuffled++
		}
	}
	t.Logf("of %d pairs: %d false alarms, %d changes found, %d with shuffled labels", pairs, alarms, found, shuffled)
	if alarms > pairs*5/100 {
		t.Errorf("%d of %d pairs without a change got an alarm", alarms, pairs)
	}
	if found < pairs*95/100 {
		t.Errorf("of %d pairs with a change %d were found", pairs, found)
	}
	if shuffled > pairs*10/100 {
		t.Errorf("control: with shuffled labels %d of %d pairs were found", shuffled, pairs)
	}
}

// TestCompare_Decides checks what may decide, and what may not. Each case has its control in the first two.
func TestCompare_Decides(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	before := made(random, 5, 1)
	one := func(change func(r *query.Run)) *Comparison {
		now := made(random, 1, 1.5)
		change(&now[0])
		return compared(now, before)
	}
	exits := "exits"
	for name, c := range map[string]struct {
		of   *Comparison
		want Verdict
		over int
	}{
		"much more":      {one(func(*query.Run) {}), More, 1},
		"few before":     {compared(made(random, 1, 1.5), before[:2]), NotClear, 0},
		"lower bound":    {one(func(r *query.Run) { r.LowerBound, r.CPUSource = true, &exits }), NotKnown, 0},
		"by the cgroup":  {one(func(r *query.Run) { r.LowerBound = true }), More, 1},
		"failed":         {one(func(r *query.Run) { *r.ExitCode = 1 }), NotKnown, 0},
		"other source":   {one(func(r *query.Run) { r.CPUSource = &exits }), NotClear, 0},
		"not known":      {one(func(r *query.Run) { r.CPUSeconds = nil }), NotKnown, 0},
		"a tiny change":  {one(func(r *query.Run) { v := *median(before) + 0.05; r.CPUSeconds = &v }), Same, 0},
		"less":           {one(func(r *query.Run) { v := 50.0; r.CPUSeconds = &v }), Less, 0},
		"five with five": {compared(made(random, 5, 1.5), before), More, 1},
		"in a step alone": {one(func(r *query.Run) {
			r.CPUSeconds = median(before)
			r.Steps = []query.RunStep{{Sheet: 1, Totals: r.Totals}}
		}), Same, 0},
	} {
		over := slices.DeleteFunc(c.of.Over(0.2), func(f Figure) bool { return f.Name != "cpu" })
		if f := c.of.figure("cpu"); f.Verdict != c.want || len(over) != c.over {
			t.Errorf("%s: got %q (%s) and %d over 20 %%, want %q and %d", name, f.Verdict, f.Note, len(over), c.want, c.over)
		}
	}
}

func median(runs []query.Run) *float64 {
	var v values
	for i := range runs {
		v.known = append(v.known, *runs[i].CPUSeconds)
	}
	return v.spread().Median
}

// What is not recorded of runs is said with its reason, in text, Markdown and JSON. What a gate cannot decide is told apart.
func TestCompare_SaysWhatItDoesNotKnow(t *testing.T) {
	runs := made(rand.New(rand.NewPCG(1, 2)), 6, 1)
	for i := range runs {
		runs[i].Coverage = []query.Coverage{{Host: "h", From: 1000, To: 1060, Reasons: []query.Reason{{Kind: "away", Data: []query.Data{query.DataCPU}}}}}
	}
	c := compared(runs[5:], runs[:5])
	var text strings.Builder
	if err := c.Text(&text, 0); err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for name, said := range map[string]string{"text": text.String(), "Markdown": c.Markdown(), "JSON": string(j)} {
		if n := strings.Count(said, "is incomplete: "); n != mostReasons || !strings.Contains(said, "3 more of the runs are incomplete") {
			t.Errorf("%s gives %d reasons:\n%s", name, n, said)
		}
	}
	whole := made(rand.New(rand.NewPCG(1, 2)), 2, 1)
	*whole[1].CPUSeconds *= 2
	c = compared(whole[1:], whole[:1])
	if u := c.Undecided(0.2); len(c.Over(0.2)) > 0 || len(u) != 1 || u[0].Name != "cpu" || u[0].Note == "" {
		t.Errorf("one run beside one: decided %v, undecided %v", c.Over(0.2), u)
	}
}
