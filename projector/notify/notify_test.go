package notify

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
)

// downForAnHour has a receiver be down for an hour in which episodes begin and end and the notifier is started anew, and returns what is wrong with what it was told after it.
func downForAnHour(t *testing.T, wrap func(*Notifier)) []string {
	t.Helper()
	const episodes = 24
	address := freeAddress(t)
	w, r := newWorld(t, webhook(address, "    most_per_minute: 5\n    group_by: [rule, job]\n"), wrap), newReceiver()
	ended := 0
	for i := range 60 { // an hour, minute by minute
		if i < episodes {
			w.publish([]string{"oom", "leak", "zombie"}[i%3], i, nil)
		}
		if i%2 == 1 && i < episodes {
			w.publish([]string{"oom", "leak", "zombie"}[i%3], i, w.ended)
			ended++
		}
		w.pass(time.Minute)
		if i%7 == 6 {
			w.open()
		}
	}
	if down := w.trouble.Open(); wrap == nil && (len(down) != 1 || down[0].About != "oncall") {
		t.Errorf("trouble with the receiver that is down: %+v", down)
	}
	r.listen(t, address)
	for range 30 {
		w.pass(20 * time.Second)
	}
	w.open()
	for range 6 {
		w.pass(20 * time.Second)
	}
	if kept, err := loadState(StatePath(w.notifier.cfg.DB)); wrap == nil && (err != nil || len(kept.Receivers["oncall"].Waiting) != episodes-ended) {
		t.Errorf("what is kept of %d episodes, of which %d have ended: %+v, %v", episodes, ended, kept, err)
	}
	if over := w.trouble.Open(); len(over) != 0 {
		t.Errorf("trouble once the receiver is back: %+v", over)
	}
	return r.defects(episodes, ended)
}

// TestNotify_AReceiverThatIsDown holds the promise: each notice comes once, though the receiver is down for an hour and the notifier starts anew meanwhile.
// The control: one that notes a notice as taken before it is sent loses notices.
func TestNotify_AReceiverThatIsDown(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	for _, problem := range downForAnHour(t, nil) {
		t.Error(problem)
	}
	if broken := downForAnHour(t, acksFirst); len(broken) == 0 {
		t.Error("control: a notifier that acks before it sends loses nothing")
	}
}

// TestNotify_TakesInOnce: messages that the log sends again, because it was not told that they were taken in, are told once.
func TestNotify_TakesInOnce(t *testing.T) {
	address := freeAddress(t)
	w, r := newWorld(t, webhook(address, "    group_wait: 1s\n"), nil), newReceiver()
	r.listen(t, address)
	for i := range 5 {
		w.publish("oom", i, nil)
	}
	w.pass(time.Second)
	w.pass(2 * time.Second)
	check(t, w.js.DeleteConsumer(t.Context(), schema.StreamEvents, schema.NotifyConsumer(w.notifier.state.ID).Durable))
	again := schema.NotifyConsumer(w.notifier.state.ID)
	again.DeliverPolicy = 0 // all
	_, err := w.js.CreateOrUpdateConsumer(t.Context(), schema.StreamEvents, again)
	check(t, err)
	w.log, err = w.js.Consumer(t.Context(), schema.StreamEvents, again.Durable)
	check(t, err)
	for range 5 {
		w.pass(2 * time.Second)
	}
	for _, problem := range r.defects(5, 0) {
		t.Error(problem)
	}
	if len(r.notices) != 1 {
		t.Errorf("five anomalies of one group came in %d notices", len(r.notices))
	}
}

// TestNotify_DurableIsGone: what comes while the log has no durable, as when a server that alone had it is away, is told too.
func TestNotify_DurableIsGone(t *testing.T) {
	address := freeAddress(t)
	w, r := newWorld(t, webhook(address, "    group_wait: 1s\n"), nil), newReceiver()
	r.listen(t, address)
	w.publish("oom", 0, nil)
	w.pass(time.Second)
	check(t, w.js.DeleteConsumer(t.Context(), schema.StreamEvents, schema.NotifyConsumer(w.notifier.state.ID).Durable))
	w.publish("oom", 1, nil)
	for range 2 {
		w.open()
		w.publish("oom", 2, nil) // the same message: the log has it once
	}
	for range 5 {
		w.pass(2 * time.Second)
	}
	for _, problem := range r.defects(3, 0) {
		t.Error(problem)
	}
}

// TestNotify_KeepsToTheRate: no more notices a minute than a receiver takes, and none is lost for it.
func TestNotify_KeepsToTheRate(t *testing.T) {
	address := freeAddress(t)
	w, r := newWorld(t, webhook(address, "    group_wait: 1s\n    most_per_minute: 3\n    group_by: [rule]\n"), nil), newReceiver()
	r.listen(t, address)
	for i := range 9 {
		w.publish(fmt.Sprintf("rule_%d", i), i, nil)
	}
	var counts []int
	for range 12 {
		w.pass(20 * time.Second)
		counts = append(counts, len(r.notices))
	}
	for i := 3; i < len(counts); i++ {
		if n := counts[i] - counts[i-3]; n > 3 {
			t.Errorf("%d notices within a minute: %v", n, counts)
		}
	}
	if counts[len(counts)-1] != 9 {
		t.Errorf("notices by pass: %v", counts)
	}
}

// TestNotify_Silences: what is silenced is not told; what still goes on when the silence ends, is.
func TestNotify_Silences(t *testing.T) {
	address := freeAddress(t)
	w, r := newWorld(t, webhook(address, "    group_wait: 1s\n"), nil), newReceiver()
	r.listen(t, address)
	db := filepath.Join(w.dir, "monitor.db")
	ends := float64(w.clock.Add(time.Hour).Unix())
	silence, err := AddSilence(db, Silence{Job: "build-*", Rule: "oom", Ends: ends}, w.clock)
	check(t, err)
	w.publish("oom", 1, nil)
	w.publish("oom", 2, nil)
	w.publish("leak", 3, nil)
	w.pass(time.Second)
	w.publish("oom", 2, w.ended)
	for range 5 {
		w.pass(time.Minute)
	}
	for _, problem := range r.defects(1, 0) {
		t.Errorf("while the silence goes on: %s", problem)
	}
	check(t, EndSilence(db, silence.ID, w.clock))
	w.pass(time.Minute)
	for _, problem := range r.defects(2, 0) {
		t.Errorf("after its end: %s", problem)
	}
	if err := EndSilence(db, silence.ID, w.clock); err != ErrNoSilence {
		t.Errorf("a silence that has ended is ended: %v", err)
	}
	if all, err := Silences(db); err != nil || len(all) != 1 || all[0].Comment != "" {
		t.Errorf("silences: %+v, %v", all, err)
	}
}

// TestNotify_GivesUp: what a receiver refuses, and what it has not taken for too long, is counted and told as trouble, and later notices come.
func TestNotify_GivesUp(t *testing.T) {
	address := freeAddress(t)
	w, r := newWorld(t, webhook(address, "    group_wait: 1s\n    give_up_after: 10m\n"), nil), newReceiver()
	r.listen(t, address)
	r.answer = 403
	w.publish("oom", 1, nil)
	w.pass(time.Second)
	w.pass(time.Minute)
	o := w.notifier.state.Receivers["oncall"]
	if o.Dead != 1 || !strings.Contains(o.LastDead, "403") {
		t.Errorf("refused: %+v", o)
	}
	if open := w.trouble.Open(); len(open) != 1 || open[0].Figures["given_up"] != 1 {
		t.Errorf("trouble: %+v", open)
	}
	r.answer = 503
	w.publish("leak", 2, nil)
	for range 15 {
		w.pass(time.Minute)
	}
	if o.Dead != 2 {
		t.Errorf("not taken for 15 minutes: %+v", o)
	}
	r.answer = 200
	w.publish("zombie", 3, nil)
	w.pass(time.Second)
	w.pass(time.Minute)
	if len(r.told) != 1 || len(w.trouble.Open()) != 0 {
		t.Errorf("afterwards: %v, trouble %+v", r.told, w.trouble.Open())
	}
}

// TestNotify_TellsWhatIsAsked: severities, rules, hosts and jobs pick; what becomes worse is told again; what is of one moment has no end; ends can be left out.
func TestNotify_TellsWhatIsAsked(t *testing.T) {
	severity := func(s schema.Severity, seq uint64) func(*schema.Message) {
		return func(m *schema.Message) { m.Anomaly.Severity, m.Seq = s, seq }
	}
	for name, c := range map[string]struct {
		more string
		play func(*world)
		want []string // the statuses, in order
	}{
		"all":               {"", func(w *world) { w.publish("oom", 1, nil); w.pass(time.Minute); w.publish("oom", 1, w.ended) }, []string{"firing", "resolved"}},
		"no ends":           {"    resolved: false\n", func(w *world) { w.publish("oom", 1, nil); w.pass(time.Minute); w.publish("oom", 1, w.ended) }, []string{"firing"}},
		"another rule":      {"    rules: [leak]\n", func(w *world) { w.publish("oom", 1, nil) }, nil},
		"another job":       {"    jobs: [\"test-*\"]\n", func(w *world) { w.publish("oom", 1, nil) }, nil},
		"its job":           {"    jobs: [\"build-*\"]\n", func(w *world) { w.publish("oom", 1, nil) }, []string{"firing"}},
		"not severe enough": {"    least: critical\n", func(w *world) { w.publish("oom", 1, nil) }, nil},
		"it becomes so":     {"    least: critical\n", func(w *world) { w.publish("oom", 1, nil); w.publish("oom", 1, severity(schema.SeverityCritical, 2)) }, []string{"firing"}},
		"it becomes worse": {"", func(w *world) {
			w.publish("oom", 1, nil)
			w.pass(time.Minute)
			w.pass(time.Minute)
			w.publish("oom", 1, severity(schema.SeverityCritical, 2))
			w.pass(time.Minute)
			w.publish("oom", 1, severity(schema.SeverityCritical, 3))
		}, []string{"firing", "firing"}},
		"of one moment": {"", func(w *world) {
			w.publish("oom", 1, func(m *schema.Message) { w.ended(m); m.Seq, m.Anomaly.EndReason = 1, schema.EndMoment })
		}, []string{"firing"}},
	} {
		t.Run(name, func(t *testing.T) {
			address := freeAddress(t)
			w, r := newWorld(t, webhook(address, "    group_wait: 1s\n", c.more), nil), newReceiver()
			r.listen(t, address)
			c.play(w)
			for range 3 {
				w.pass(time.Minute)
			}
			var got []string
			for _, b := range r.bodies {
				if strings.Contains(b, `"status":"resolved"`) {
					got = append(got, "resolved")
				} else {
					got = append(got, "firing")
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("told %v, want %v", got, c.want)
			}
			if left := w.notifier.state.Receivers["oncall"].Waiting; name == "of one moment" && len(left) != 0 {
				t.Errorf("remembered for ever: %v", left)
			}
		})
	}
}

// TestNotify_StateIsPrivate: what waits holds command lines, so nobody else reads it; one that is not ours stops the notifier.
func TestNotify_StateIsPrivate(t *testing.T) {
	w := newWorld(t, webhook(freeAddress(t)), nil)
	path := StatePath(filepath.Join(w.dir, "monitor.db"))
	info, err := os.Stat(path)
	check(t, err)
	if info.Mode().Perm() != 0o600 {
		t.Errorf("the file has mode %o", info.Mode().Perm())
	}
	check(t, os.WriteFile(path, []byte("{"), 0o600))
	if _, err := Open(Settings{DB: filepath.Join(w.dir, "monitor.db"), Config: w.config}); err == nil {
		t.Error("a broken file is read")
	}
}
