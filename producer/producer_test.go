package producer

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/proctape/proctape/embedded-nats/logtest"
	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/lifecycle"
	"github.com/proctape/proctape/producer/publish"
	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
)

// unreachable is a connection whose server never was.
func unreachable(t *testing.T) *nats.Conn {
	t.Helper()
	return logtest.Connect(t, t.TempDir())
}

func newProducer(t *testing.T, nc *nats.Conn, cfg Config) *Producer {
	t.Helper()
	cfg.Host, cfg.Log, cfg.Drain = "h", logTo(t), cmp.Or(cfg.Drain, testTimeout)
	p, err := New(nc, cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestConfig_RefusalNamesTheField(t *testing.T) {
	nc := unreachable(t)
	tests := map[string]struct {
		cfg  Config
		want string // how the error begins; empty for none
	}{
		"the zero value":           {Config{}, ""},
		"host with a dot":          {Config{Host: "a.b"}, `host "a.b": `},
		"host with a wildcard":     {Config{Host: "*"}, `host "*": `},
		"host too long":            {Config{Host: strings.Repeat("h", 65)}, `host "hhh`},
		"the shortest interval":    {Config{Interval: 100 * time.Millisecond}, ""},
		"interval too short":       {Config{Interval: 99 * time.Millisecond}, "interval 99ms: "},
		"interval negative":        {Config{Interval: -time.Second}, "interval -1s: "},
		"argv full":                {Config{Argv: scrub.Full}, ""},
		"no mode of programs":      {Config{BPF: "yes"}, `bpf: "yes" is none of auto, on and off`},
		"argv of no known mode":    {Config{Argv: "some"}, `argv: unknown command mode "some"`},
		"max queue":                {Config{MaxQueue: 1}, ""},
		"max queue negative":       {Config{MaxQueue: -1}, "max queue -1: "},
		"root without a boot id":   {Config{Root: t.TempDir()}, ""},
		"root that does not exist": {Config{Root: filepath.Join(t.TempDir(), "no")}, "read the host: "},
	}
	for name, tt := range tests {
		_, err := New(nc, tt.cfg)
		if got := fmt.Sprint(err); (err == nil) != (tt.want == "") || err != nil && !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s: got %v, want an error that begins with %q", name, err, tt.want)
		}
	}
}

func TestConfig_Defaults(t *testing.T) {
	p, err := New(unreachable(t), Config{})
	if err != nil {
		t.Fatal(err)
	}
	name, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	if p.Host() != schema.HostToken(name) || p.Interval() != 5*time.Second {
		t.Errorf("got host %s, interval %s", p.Host(), p.Interval())
	}
}

func TestTickNumber(t *testing.T) {
	const ms = time.Millisecond
	tests := map[string]struct {
		elapsed, interval time.Duration
		want              uint64
	}{
		"the first":                           {0, 100 * ms, 1},
		"the first, a little late":            {3 * ms, 100 * ms, 1},
		"the second":                          {100 * ms, 100 * ms, 2},
		"the second, late":                    {170 * ms, 100 * ms, 2},
		"the third, after a late second":      {200 * ms, 100 * ms, 3},
		"the second, as late as it may be":    {200*ms - 1, 100 * ms, 2},
		"two were missed":                     {399 * ms, 100 * ms, 4},
		"a day was missed":                    {24 * time.Hour, 5 * time.Second, 17281},
		"an interval of a part of a second":   {700 * ms, 250 * ms, 3},
		"an interval that does not divide it": {time.Second, 300 * ms, 4},
	}
	for name, tt := range tests {
		if got := tickNumber(tt.elapsed, tt.interval); got != tt.want {
			t.Errorf("%s: got %d, want %d", name, got, tt.want)
		}
	}
}

// A producer runs beside a child that starts and ends.
func TestProducer_Run(t *testing.T) {
	nc := logtest.Serve(t)
	msgs := logtest.Subscribe(t, nc)
	p := newProducer(t, nc, Config{Interval: 100 * time.Millisecond})
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()

	any := func(*schema.Message) bool { return true }
	first := await(t, msgs, schema.KindSnapshot, any)
	if first.Seq != 1 || first.Snapshot.Tick != 1 || first.Host != "h" || first.Snapshot.Interval != int64(100*time.Millisecond) {
		t.Errorf("first snapshot: got %+v, tick %d", first.Envelope, first.Snapshot.Tick)
	}
	c := startChild(t, "sleep", []string{jobs.EnvJob + "=j1", jobs.EnvSheet + "=2"})
	event := func(m *schema.Message) schema.Event {
		for _, e := range m.Events {
			if e.PID == c.pid() {
				return e
			}
		}
		return schema.Event{}
	}
	spawn := event(await(t, msgs, schema.KindSpawn, func(m *schema.Message) bool { return event(m).PID != 0 }))
	c.end(t)
	exit := event(await(t, msgs, schema.KindExit, func(m *schema.Message) bool { return event(m).PID != 0 }))
	for name, e := range map[string]schema.Event{"spawn": spawn, "exit": exit} {
		if e.StartTicks != spawn.StartTicks || e.PPID != schema.Some(int64(os.Getpid())) {
			t.Errorf("%s: got %+v", name, e)
		}
	}
	if exit.JobID != "j1" || exit.Sheet != schema.Some(int64(2)) || exit.Wall < spawn.Wall {
		t.Errorf("exit: got %+v, want one of job j1, sheet 2, after %d", exit, spawn.Wall)
	}

	stop()
	stop() // a second time, as an impatient user does
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	ticks, last := uint64(0), map[schema.Kind]uint64{}
	for _, stream := range []string{schema.StreamSnapshots, schema.StreamEvents} {
		for _, raw := range logtest.Stored(t, nc, stream) {
			m := logtest.Decode(t, raw.Header, raw.Data)
			if m.Seq != last[m.Kind]+1 {
				t.Errorf("%s: number %d after %d", m.Kind, m.Seq, last[m.Kind])
			}
			last[m.Kind] = m.Seq + m.Count() - 1
			if m.Snapshot == nil {
				continue
			}
			if m.Snapshot.Tick <= ticks {
				t.Errorf("tick %d after tick %d", m.Snapshot.Tick, ticks)
			}
			ticks = m.Snapshot.Tick
		}
	}
	if s := p.Stats(); s.Acked != s.Produced || s.Waiting != 0 || s.Dropped != 0 {
		t.Errorf("got %+v, want all acknowledged", s)
	}
}

// Whose a process is counts for those too that ran before the producer did.
func TestProducer_AttributesWhatRunsAlready(t *testing.T) {
	c := startChild(t, "sleep", []string{jobs.EnvJob + "=early", jobs.EnvSheet + "=7"})
	nc := logtest.Serve(t)
	p := newProducer(t, nc, Config{})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
	msgs := logtest.Stored(t, nc, schema.StreamSnapshots)
	if len(msgs) != 1 {
		t.Fatalf("got %d snapshots, want one: the context had ended", len(msgs))
	}
	m := logtest.Decode(t, msgs[0].Header, msgs[0].Data)
	got, _ := find(m, c.pid())
	if got.JobID != "early" || got.Sheet != schema.Some(int64(7)) {
		t.Errorf("got job %q, sheet %+v, want early, 7", got.JobID, got.Sheet)
	}
	if m.Snapshot.RunningJobs < 1 || m.Snapshot.ActiveSheets < 1 {
		t.Errorf("got %d jobs and %d sheets, want at least one", m.Snapshot.RunningJobs, m.Snapshot.ActiveSheets)
	}
	if got, want := m.Snapshot.Capabilities, publishedCapabilities(p.Capabilities()); !slices.Equal(got, want) {
		t.Errorf("publishes capabilities %s, shows %s", got, want)
	}
}

func TestProducer_RunSaysWhatIsLeft(t *testing.T) {
	p := newProducer(t, unreachable(t), Config{Drain: 50 * time.Millisecond})
	ctx, stop := context.WithCancel(t.Context())
	stop()
	err := p.Run(ctx)
	// The snapshot, and events of whatever started and ended on this machine meanwhile.
	want := fmt.Sprintf("%d messages were not acknowledged within 50ms of the stop", p.Stats().Waiting)
	if err == nil || err.Error() != want || p.Stats().Waiting < 1 {
		t.Errorf("got %v, want %s", err, want)
	}
}

// A sample that fails is a missed tick, not the end.
func TestProducer_GoesOnAfterAFailedSample(t *testing.T) {
	root := filepath.Join(t.TempDir(), "proc")
	if err := os.Mkdir(root, 0o700); err != nil {
		t.Fatal(err)
	}
	p := newProducer(t, logtest.Serve(t), Config{Root: root, Events: []lifecycle.SourceKind{lifecycle.KindDiff}}) // others would tell of this machine
	if err := os.Remove(root); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := p.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if got, want := p.Stats(), (publish.Stats{}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
