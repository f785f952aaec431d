package projector

import (
	"slices"
	"testing"
	"time"

	"github.com/proctape/proctape/producer/simulate"
	"github.com/proctape/proctape/schema"
)

// troubledLog is the log of hosts, each with a trouble of its own kind, for a time.
func troubledLog(t testing.TB, processes int, length time.Duration, kinds ...string) []*received {
	t.Helper()
	log := newLog()
	var told []*received
	for _, kind := range kinds {
		f, err := simulate.NewFleet(simulate.Config{Hosts: 1, Processes: processes, Interval: 5 * time.Second, Churn: 0.1, Jobs: 1, Seed: 5, Trouble: kind, Start: time.Unix(1_795_000_000, 0)})
		if err != nil {
			t.Fatal(err)
		}
		for range int(length / (5 * time.Second)) {
			for _, m := range f.Host(0).Step() {
				m.Host = "h-" + kind
				told = append(told, log.publish(&m))
			}
		}
	}
	return told
}

// What the rules find, and what they remember, is the same in batches of any size, and when the recorder is killed between any two, or in the middle of
// one.
func TestRules_SameInAnyBatching(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	log := troubledLog(t, 20, 12*time.Minute, "memory_spike", "crash_loop", "zombie", "orphan", "oom")
	of := func(batch int, kill bool) []string {
		p := newTape(t, -1)
		for i, part := range slices.Collect(slices.Chunk(log, batch)) {
			if kill {
				p.abandon(part, i%2 == 0)
				p.reopen()
			}
			p.fold(part...)
		}
		return append(p.rows(`SELECT episode_id, revision, hex(message) FROM found_anomalies ORDER BY 1`), p.rows(`SELECT stream, host_id, hex(memory) FROM rule_memories ORDER BY 1, 2`)...)
	}
	want := of(1, false)
	if len(want) < 12 {
		t.Fatalf("%d rows: this shows little", len(want))
	}
	for _, c := range []struct {
		batch int
		kill  bool
	}{{7, false}, {1000, false}, {40, true}, {333, true}} {
		if got := of(c.batch, c.kill); !slices.Equal(got, want) {
			t.Errorf("in batches of %d, killed %t: the rows differ", c.batch, c.kill)
		}
	}
	// The control: a snapshot less, in the middle of the first trouble.
	snapshots := 0
	log = slices.DeleteFunc(log, func(d *received) bool {
		if d.Msg.Snapshot != nil {
			snapshots++
		}
		return d.Msg.Snapshot != nil && snapshots == 66
	})
	if slices.Equal(of(1000, false), want) {
		t.Error("control: a message is missing, and the rows are the same")
	}
}

// What the log tells of an episode counts in any order: the highest revision is the row.
func TestRules_ToldInAnyOrder(t *testing.T) {
	h := newHost("h")
	about := schema.AnomalySubject{Kind: schema.AboutProcess, PID: 5, StartTicks: 50}
	var told []*schema.Message
	for n := range uint64(3) {
		m := h.anomaly(about, n+1)
		m.Instance, m.Anomaly.Samples = schema.Instance{1}, int64(n+1)
		told = append(told, m)
	}
	for _, order := range [][]int{{0, 1, 2}, {2, 0, 1}, {1, 2, 2, 0}} {
		p, log := newTape(t, -1), newLog()
		for _, i := range order {
			p.fold(log.publish(told[i]))
		}
		p.wantRows(`SELECT revision, samples, rule, pid, start_ticks FROM anomalies`, "3 3 r 5 50")
	}
}
