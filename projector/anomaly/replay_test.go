package anomaly_test

import (
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/proctape/proctape/producer/simulate"
	"github.com/proctape/proctape/projector/anomaly"
	"github.com/proctape/proctape/schema"
)

// tape is the messages of a fleet in which every kind of trouble comes once, encoded.
func tape(t testing.TB, kinds ...string) (messages [][]byte) {
	t.Helper()
	for _, kind := range kinds {
		f, _ := fleet(t, kind, 1)
		for range 12 * 20 { // 20 minutes
			for _, m := range f.Host(0).Step() {
				m.Host = "h-" + kind
				b, err := schema.Msgpack.Append(nil, &m)
				if err != nil {
					t.Fatal(err)
				}
				messages = append(messages, b)
			}
		}
	}
	return messages
}

// observer is what looks at messages.
type observer interface {
	Observe(m *schema.Message) []*schema.Message
}

// replay has rules look at a tape, and returns the hash of all that they told. before is called before each message and may change who looks.
func replay(t testing.TB, messages [][]byte, look observer, before func(i int, look observer) observer) string {
	t.Helper()
	told := map[string][]byte{}
	for i, b := range messages {
		look = before(i, look)
		m, err := schema.Msgpack.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range look.Observe(m) {
			if told[e.ID()], err = schema.Msgpack.Append(nil, e); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(told) < 8 {
		t.Fatalf("%d messages of episodes: this shows little", len(told))
	}
	sum := sha256.New()
	for _, id := range slices.Sorted(maps.Keys(told)) {
		sum.Write(told[id])
	}
	return fmt.Sprintf("%x", sum.Sum(nil))
}

// The same messages give the same episodes, also when the engine is stopped between any two of them and another goes on with what it saved.
func TestEngine_ReplayIsTheSame(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	messages := tape(t, "memory_spike", "zombie", "crash_loop", "stuck_in_d", "orphan", "runaway_process")
	rules := builtIn(t)
	hosts := map[string]bool{}
	for _, b := range messages {
		m, err := schema.Msgpack.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		hosts[m.Host] = true
	}
	restarted := func(i int, look observer) observer {
		was, next := look.(*anomaly.Engine), anomaly.NewEngine(rules)
		for host := range hosts {
			for _, stream := range []string{schema.StreamSnapshots, schema.StreamEvents} {
				if told, err := next.Load(stream, host, was.Save(stream, host)); err != nil || len(told) > 0 {
					t.Fatalf("load: %v, told %v", err, told)
				}
			}
		}
		return next
	}
	goesOn := func(_ int, look observer) observer { return look }
	want := replay(t, messages, anomaly.NewEngine(rules), goesOn)
	if got := replay(t, messages, anomaly.NewEngine(rules), goesOn); got != want {
		t.Error("a second replay tells something else")
	}
	for _, every := range []int{1, 7, 100} {
		got := replay(t, messages, anomaly.NewEngine(rules), func(i int, look observer) observer {
			if i%every == 0 {
				return restarted(i, look)
			}
			return look
		})
		if got != want {
			t.Errorf("restarted before each %d. message: it tells something else", every)
		}
	}
	// The controls: an engine that forgets at a restart, and one that reads the clock.
	forgets := replay(t, messages, anomaly.NewEngine(rules), func(i int, look observer) observer {
		if i%100 == 99 {
			return anomaly.NewEngine(rules)
		}
		return look
	})
	if forgets == want {
		t.Error("control: an engine that forgets tells the same")
	}
	if replay(t, messages, &clocked{anomaly.NewEngine(rules)}, goesOn) == want {
		t.Error("control: rules that read the clock tell the same")
	}
}

// clocked is the broken variant that takes the time of a snapshot from the clock.
type clocked struct{ *anomaly.Engine }

// Observe implements [observer].
func (c *clocked) Observe(m *schema.Message) []*schema.Message {
	m.Wall = time.Now().UnixNano()
	return c.Engine.Observe(m)
}

// A rule that says something else now ends the episodes of the one that it was.
func TestEngine_LoadOfChangedRule(t *testing.T) {
	rules := anomaly.BuiltIn()
	f, _ := fleet(t, "memory_pressure", 1)
	engine := anomaly.NewEngine(builtIn(t))
	for range 70 { // in the middle of the trouble
		for _, m := range f.Host(0).Step() {
			engine.Observe(&m)
		}
	}
	host := f.Host(0).Name()
	saved := engine.Save(schema.StreamSnapshots, host)
	at := slices.IndexFunc(rules, func(r anomaly.Rule) bool { return r.Name == "memory_pressure" })
	rules[at].Settings = map[string]float64{"fraction": 0.01, "large_mb": 4096}
	changed, err := anomaly.Compile(rules)
	if err != nil {
		t.Fatal(err)
	}
	told, err := anomaly.NewEngine(changed).Load(schema.StreamSnapshots, host, saved)
	if err != nil || len(told) != 1 || told[0].Anomaly.EndReason != schema.EndRuleChanged || told[0].Validate() != nil {
		t.Errorf("got %v, error %v, want one episode that ends because its rule changed", told, err)
	}
	for cut := range saved { // what is damaged is an error, not a panic
		_, _ = anomaly.NewEngine(changed).Load(schema.StreamSnapshots, host, saved[:cut])
	}
}

// In a fleet without trouble the rules find nothing for two hours, whatever its jobs do.
func TestBuiltIn_QuietFleet(t *testing.T) {
	f, err := simulate.NewFleet(simulate.Config{Hosts: 3, Processes: 60, Interval: 5 * time.Second, Churn: 0.1, Jobs: 1, Seed: 3, Start: time.Unix(1_795_000_000, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range find(t, builtIn(t), f, 2*720) {
		t.Errorf("%s on %s: %s", m.Anomaly.Rule, m.Host, m.Anomaly.Description)
	}
}

// BenchmarkEngine is what all built-in rules cost for a process in a snapshot.
func BenchmarkEngine(b *testing.B) {
	f, err := simulate.NewFleet(simulate.Config{Hosts: 1, Processes: 200, Interval: 5 * time.Second, Churn: 0.1, Jobs: 2, Seed: 3, Start: time.Unix(1_795_000_000, 0)})
	if err != nil {
		b.Fatal(err)
	}
	var messages []*schema.Message
	samples := 0
	for range 200 {
		for _, m := range f.Host(0).Step() {
			encoded, err := schema.Msgpack.Append(nil, &m)
			if err != nil {
				b.Fatal(err)
			}
			decoded, err := schema.Msgpack.Decode(encoded)
			if err != nil {
				b.Fatal(err)
			}
			messages = append(messages, decoded)
			if m.Snapshot != nil {
				samples += m.Snapshot.Processes.Len()
			}
		}
	}
	rules := builtIn(b)
	for b.Loop() {
		engine := anomaly.NewEngine(rules)
		for _, m := range messages {
			engine.Observe(m)
		}
		engine.Save(schema.StreamSnapshots, f.Host(0).Name())
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(samples*b.N), "ns/sample")
}
