package anomaly_test

import (
	"testing"
	"time"

	"github.com/proctape/proctape/projector/anomaly"
	"github.com/proctape/proctape/schema"
)

// A run that is far outside of the earlier ones is found, once, however often it is told of; before there are enough, and within what is usual, nothing is.
func TestRules_RunsOutsideOfEarlierOnes(t *testing.T) {
	engine := anomaly.NewEngine(builtIn(t))
	start := time.Unix(1_795_000_000, 0).UnixNano()
	run := func(number, seconds, peakMiB int64) (rules []string) {
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
