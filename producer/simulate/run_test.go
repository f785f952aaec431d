package simulate

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/schema"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, logtest.Singletons()...)
}

// startLog runs a real server, with the log's streams when declare is set.
func startLog(t *testing.T, declare bool) (*nats.Conn, jetstream.JetStream) {
	t.Helper()
	dir := t.TempDir()
	server := logtest.Start(t, dir)
	t.Cleanup(func() { logtest.Close(t, server) })
	nc := logtest.Connect(t, dir)
	if declare {
		return nc, logtest.Declare(t, nc)
	}
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return nc, js
}

func quiet(l Load) Load {
	l.Log = slog.New(slog.DiscardHandler)
	return l
}

// stored are the messages that a stream holds, by host, in their order.
func stored(t *testing.T, js jetstream.JetStream, stream string) map[string][]*schema.Message {
	t.Helper()
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	consumer, err := s.OrderedConsumer(t.Context(), jetstream.OrderedConsumerConfig{})
	if err != nil {
		t.Fatal(err)
	}
	byHost := map[string][]*schema.Message{}
	for range s.CachedInfo().State.Msgs {
		msg, err := consumer.Next()
		if err != nil {
			t.Fatal(err)
		}
		m, err := schema.DecodeOf(msg.Subject(), "", msg.Headers().Get(schema.HeaderEncoding), msg.Data())
		if err != nil {
			t.Fatal(err)
		}
		byHost[m.Host] = append(byHost[m.Host], m)
	}
	return byHost
}

// TestRun_PublishesWhatTheFleetMakes: the log holds, number by number, what another fleet of the same configuration
// makes. Were a buffer used again too early, or a message lost or doubled, it would not.
func TestRun_PublishesWhatTheFleetMakes(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	nc, js := startLog(t, true)
	cfg := Config{Hosts: 3, Processes: 40, Interval: 5 * time.Second, Churn: 5, Jobs: 1, Seed: 3}
	const steps = 30
	began := time.Now()
	report, err := Run(t.Context(), nc, quiet(Load{Fleet: cfg, Fast: true, Duration: steps * cfg.Interval}))
	if err != nil {
		t.Fatal(err)
	}
	if report.Snapshots != 3*steps || report.Rows != 3*steps*40 || report.Drops+report.Unacknowledged != 0 {
		t.Errorf("got %+v", report)
	}
	snapshots, events := stored(t, js, schema.StreamSnapshots), stored(t, js, schema.StreamEvents)
	first := snapshots["sim-0001"][0]
	if ends := time.Unix(0, first.Wall).Add(steps * cfg.Interval); ends.Before(began) || ends.After(time.Now()) {
		t.Errorf("the story ends at %s, want it between %s and now", ends, began)
	}
	cfg.Start = time.Unix(0, first.Wall)
	fleet := newFleet(t, cfg)
	for i := range fleet.Len() {
		h := fleet.Host(i)
		for range steps {
			for _, want := range h.Step() {
				from := events
				if want.Kind == schema.KindSnapshot {
					from = snapshots
				}
				if len(from[h.Name()]) == 0 {
					t.Fatalf("%s: %s %d is not in the log", h.Name(), want.Kind, want.Seq)
				}
				got := from[h.Name()][0]
				from[h.Name()] = from[h.Name()][1:]
				want.Instance = got.Instance
				if !bytes.Equal(mustEncode(t, got), mustEncode(t, &want)) {
					t.Fatalf("%s: the log has %+v, want %+v", h.Name(), got.Envelope, want.Envelope)
				}
			}
		}
		if n := len(snapshots[h.Name()]) + len(events[h.Name()]); n > 0 {
			t.Errorf("%s: %d messages more than made", h.Name(), n)
		}
	}
}

// TestRun_KeepsTime: snapshots carry the times at which they are due, and it takes as long as it says.
func TestRun_KeepsTime(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	nc, js := startLog(t, true)
	cfg := Config{Hosts: 4, Processes: 20, Interval: 200 * time.Millisecond, Seed: 3}
	began := time.Now()
	shown := 0
	report, err := Run(t.Context(), nc, quiet(Load{Fleet: cfg, Duration: 2 * time.Second, Progress: func(Report) { shown++ }}))
	if err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 1900*time.Millisecond || shown == 0 {
		t.Errorf("took %s, progress shown %d times", took, shown)
	}
	if report.AckP50 <= 0 || report.AckP50 > report.AckP99 || report.AckP99 > report.AckMax || report.Bytes == 0 {
		t.Errorf("got %+v", report)
	}
	for host, snapshots := range stored(t, js, schema.StreamSnapshots) {
		if len(snapshots) != 10 {
			t.Errorf("%s has %d snapshots, want 10", host, len(snapshots))
		}
		for i, m := range snapshots {
			if due := snapshots[0].Wall + int64(i)*int64(cfg.Interval); m.Wall != due || m.Snapshot.Tick != uint64(i+1) {
				t.Errorf("%s: snapshot %d is of %d and tick %d, want %d", host, i, m.Wall, m.Snapshot.Tick, due)
			}
		}
	}
}

// TestRun_SaysHowFarDatabasesAre: a projector that takes nothing is behind by everything.
func TestRun_SaysHowFarDatabasesAre(t *testing.T) {
	nc, js := startLog(t, true)
	for _, stream := range []string{schema.StreamSnapshots, schema.StreamEvents} {
		if _, err := js.CreateOrUpdateConsumer(t.Context(), stream, schema.Consumer("idle")); err != nil {
			t.Fatal(err)
		}
	}
	other := schema.Consumer("x")
	other.Durable = "another-kind-of-reader"
	if _, err := js.CreateOrUpdateConsumer(t.Context(), schema.StreamEvents, other); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Hosts: 2, Processes: 40, Interval: 5 * time.Second, Churn: 5, Jobs: 1}
	report, err := Run(t.Context(), nc, quiet(Load{Fleet: cfg, Fast: true, Duration: time.Minute}))
	if err != nil {
		t.Fatal(err)
	}
	if !report.LagKnown || len(report.Lag) != 1 || report.Lag[0] != (Lag{"projector-idle", report.Messages}) || report.LagMax != report.Messages {
		t.Errorf("got %+v of %d messages", report.Lag, report.Messages)
	}
}

func TestRun_EndsWithItsContext(t *testing.T) {
	nc, js := startLog(t, true)
	ctx, cancel := context.WithCancel(t.Context())
	cfg := Config{Hosts: 5, Processes: 20, Interval: 100 * time.Millisecond, Churn: 1}
	report, err := Run(ctx, nc, quiet(Load{Fleet: cfg, Progress: func(Report) { cancel() }}))
	if err != nil {
		t.Fatal(err)
	}
	var n uint64
	for _, snapshots := range stored(t, js, schema.StreamSnapshots) {
		n += uint64(len(snapshots))
	}
	if n == 0 || n != report.Snapshots || report.Unacknowledged != 0 {
		t.Errorf("%d snapshots in the log, the report is %+v", n, report)
	}
}

// TestRun_SaysWhatTheLogDidNotTake: without streams nobody acknowledges anything.
func TestRun_SaysWhatTheLogDidNotTake(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	nc, _ := startLog(t, false)
	cfg := Config{Hosts: 2, Processes: 20, Interval: time.Second}
	report, err := Run(t.Context(), nc, quiet(Load{Fleet: cfg, Duration: time.Second}))
	if err == nil || !strings.Contains(err.Error(), "2 items were not acknowledged") {
		t.Errorf("got %v", err)
	}
	if report.Snapshots != 2 || report.Unacknowledged != 2 || report.LagKnown {
		t.Errorf("got %+v", report)
	}
}

func TestRun_RefusesByName(t *testing.T) {
	fleet := Config{Hosts: 1, Processes: 10, Interval: time.Second}
	for want, load := range map[string]Load{
		"duration 0s":  {Fleet: fleet, Fast: true},
		"duration -1s": {Fleet: fleet, Duration: -time.Second},
		"hosts 0":      {Fleet: Config{Processes: 10, Interval: time.Second}},
		"interval 0s":  {Fleet: Config{Hosts: 1, Processes: 10}, Duration: time.Second, Fast: true},
	} {
		if _, err := Run(t.Context(), nil, load); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
