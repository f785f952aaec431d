package anomaly_test

import (
	"slices"
	"testing"
	"time"

	"github.com/proctape/proctape/producer/simulate"
	"github.com/proctape/proctape/projector/anomaly"
)

// comesUp is how long after the beginning of its trouble the condition of a rule can hold first; 0 where it holds in the first snapshot. A leak, threads and files that
// grow bit by bit are not here.
var comesUp = map[string]time.Duration{
	"memory_spike": 0, "runaway_process": 0, "fd_exhaustion": 0, "memory_pressure": 0, "oom": 0, "fork_storm": 0, "orphan": 0, "cpu_starvation": 0, "gpu_idle": 0,
	"zombie":     15 * time.Second, // seconds
	"stuck_in_d": time.Minute,      // seconds
	"crash_loop": 80 * time.Second, // the fifth death, of one each 20 s
}

// delayOf is how long after the first snapshot with a trouble its episode was told of.
func delayOf(t *testing.T, rules *anomaly.Rules, trouble *simulate.Trouble) (delay time.Duration, found bool) {
	t.Helper()
	f, cfg := fleet(t, trouble.Kind, 1)
	engine, begin := anomaly.NewEngine(rules), cfg.Start.Add(trouble.Begin)
	for range int((trouble.Begin + trouble.Length + time.Minute) / cfg.Interval) {
		for _, m := range f.Host(0).Step() {
			for _, e := range engine.Observe(&m) {
				if isOf(trouble.Kind, e.Anomaly) {
					return time.Unix(0, m.Wall).Sub(begin), true
				}
			}
		}
	}
	return 0, false
}

// TestBuiltIn_Delay holds the promise: an episode is told of at most two intervals after its condition held for as long as the rule asks. The control: rules that wait
// for three intervals more.
func TestBuiltIn_Delay(t *testing.T) {
	const interval = 5 * time.Second // of fleet
	late := anomaly.BuiltIn()
	for i := range late {
		late[i].For += anomaly.Duration(3 * interval)
	}
	lateRules, err := anomaly.Compile(late)
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for _, r := range anomaly.BuiltIn() {
		i := slices.IndexFunc(simulate.Troubles, func(tr simulate.Trouble) bool { return tr.Kind == r.Name })
		after, ok := comesUp[r.Name]
		if i < 0 || !ok {
			continue
		}
		tried++
		inTime := func(rules *anomaly.Rules) (time.Duration, bool) {
			delay, found := delayOf(t, rules, &simulate.Troubles[i])
			delay -= after + time.Duration(r.For)
			return delay, found && delay >= 0 && delay <= 2*interval
		}
		if delay, ok := inTime(builtIn(t)); !ok {
			t.Errorf("%s is told of %v after its condition held, or never", r.Name, delay)
		}
		if _, ok := inTime(lateRules); ok && r.On != "exit" && r.On != "oom" { // an event holds for no time
			t.Errorf("%s: the control, which waits longer, passes", r.Name)
		}
	}
	if tried != len(comesUp) {
		t.Errorf("%d rules were tried, want %d", tried, len(comesUp))
	}
}
