package anomaly_test

import (
	"testing"
	"time"

	"github.com/proctape/proctape/projector/anomaly"
	"github.com/proctape/proctape/schema"
)

// runs has rules look at runs of one job: a number, a duration and a peak. It returns what finds the run.
func runs(t *testing.T, rules *anomaly.Rules) func(number, seconds, peakMiB int64) []string {
	engine := anomaly.NewEngine(rules)
	start := time.Unix(1_795_000_000, 0).UnixNano()
	return func(number, seconds, peakMiB int64) (rules []string) {
		r := &schema.RunRecord{JobID: "nightly", Run: schema.RunID{byte(number)}, Number: number, Started: start, Ended: schema.Some(start + seconds*1e9), LastEvent: start,
			Totals: &schema.Totals{PeakRSS: schema.Some(peakMiB << 10), PeakSource: schema.FromWait}}
		m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindRun, Host: "h", BootID: "b", Seq: 1, Wall: r.Ended.V}, Run: r}
		for _, e := range engine.Observe(m) {
			if err := e.Validate(); err != nil {
				t.Error(err)
			}
			rules = append(rules, e.Anomaly.Rule)
		}
		return rules
	}
}

// A run that is far outside of the earlier ones is found, once, however often it is told of; before there are enough, and within what is usual, nothing is.
func TestRules_RunsOutsideOfEarlierOnes(t *testing.T) {
	run := runs(t, builtIn(t))
	for i, seconds := range []int64{100, 104, 98, 101, 300, 97, 103} { // the fifth comes too early to be judged
		if got := run(int64(i)+1, seconds, 200); got != nil {
			t.Errorf("run %d: got %v, want nothing", i+1, got)
		}
	}
	if got := run(8, 400, 210); len(got) != 1 || got[0] != "slow_run" {
		t.Errorf("a slow run: got %v", got)
	}
	if got := run(8, 400, 210); got != nil {
		t.Errorf("told of again: got %v", got)
	}
	if got := run(9, 101, 900); len(got) != 1 || got[0] != "large_run" {
		t.Errorf("a large run: got %v", got)
	}
	if got := run(10, 108, 220); got != nil {
		t.Errorf("within what is usual: got %v", got)
	}
}

// A build with an empty cache is slow now and then, and is told of once; one that is slower than all is told of. The control: the rules without the earlier longest run.
func TestRules_RunsThatAreLongNowAndThen(t *testing.T) {
	told := func(rules *anomaly.Rules) (n int) {
		run := runs(t, rules)
		for i, seconds := range []int64{30, 31, 29, 30, 32, 600, 30, 29, 31, 590, 30, 31, 600, 29, 900} {
			n += len(run(int64(i)+1, seconds, 200))
		}
		return n
	}
	if got := told(builtIn(t)); got != 2 {
		t.Errorf("%d are told of, want the first and the longest", got)
	}
	if got := told(plainRules(t)); got != 4 {
		t.Errorf("control: %d are told of, want all 4", got)
	}
}
