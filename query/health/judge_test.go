package health

import (
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/state"
	"github.com/proctape/proctape/schema/trouble"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration) time.Time { return now.Add(-d) }

// sound is a recorder with which all is well, on a host that it hears and with another.
func sound() Figures {
	return Figures{
		Now: now, Database: "D/monitor.db", Data: "D", Recorder: 7, Projector: 7, Opened: ago(time.Hour), Age: time.Second,
		State: &state.Process{Command: "up", PID: 7, Started: ago(time.Hour).UnixNano(), Said: state.Clock{Wall: ago(time.Second).UnixNano()},
			Sampler: &state.Sampler{Host: "here", QueueBytes: 64 << 20},
			Projects: map[string]state.Place{schema.StreamSnapshots: {Seq: 10, Moved: ago(time.Second).UnixNano()},
				schema.StreamEvents: {Seq: 10, Moved: ago(30 * time.Minute).UnixNano()}}},
		Log:     Log{Asked: true},
		Streams: []Stream{{Name: schema.StreamSnapshots, Seq: 10, Last: 10}, {Name: schema.StreamEvents, Seq: 10, Last: 11, Oldest: ago(time.Second)}},
		Hosts: []Host{{Name: "here", Seen: ago(time.Second), Asked: true, Interval: 5 * time.Second},
			{Name: "gone", Seen: ago(48 * time.Hour), Asked: true, Interval: 5 * time.Second}},
		Lost: []Loss{{Kind: schema.GapRestart, Unknown: 1}, {Kind: schema.GapClockStep}, {Kind: schema.GapMissedTicks, Count: 3}},
		Late: []Late{{"here", 3, 5 * time.Second}},
	}
}

// Each figure that is not well has its verdict, its kind and its words. The control of all rows is the first.
func TestJudge(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*Figures)
		line   string         // what the line begins with
		kinds  []trouble.Kind // all of them, the worst first
	}{
		"all is well": {func(*Figures) {}, "well", nil},
		"no recorder": {func(f *Figures) { f.Recorder, f.Projector, f.Log = 0, 0, Log{} },
			"standing: no recorder runs on D (for 1s)", []trouble.Kind{trouble.NoRecorder}},
		"a dead recorder's state says that all is well, or that something stands": {func(f *Figures) {
			f.Recorder, f.Projector, f.Log = 0, 0, Log{}
			f.State.Troubles = []trouble.Trouble{{Kind: trouble.DiskFull, Since: ago(time.Hour)}}
		}, "standing: no recorder", []trouble.Kind{trouble.NoRecorder}},
		"no recorder and no state": {func(f *Figures) { f.Recorder, f.Projector, f.State, f.Log = 0, 0, nil, Log{} },
			"standing: no recorder runs on D", []trouble.Kind{trouble.NoRecorder}},
		"a start": {func(f *Figures) { f.Projector, f.State, f.Opened, f.Log = 0, nil, ago(3*time.Second), Log{} },
			"degraded: process 7 starts", []trouble.Kind{trouble.Starting}},
		"a start that does not end": {func(f *Figures) { f.Projector, f.State, f.Opened, f.Log = 0, nil, ago(time.Hour), Log{} },
			"standing: nobody projects", []trouble.Kind{trouble.NoProjector}},
		"a halted recorder": {func(f *Figures) { f.Halted, f.Log.Error = true, "no answer in time" },
			"standing: process 7 is stopped", []trouble.Kind{trouble.Stopped, trouble.LogSilent}},
		"a recorder that says nothing": {func(f *Figures) { f.Age = 25 * time.Second },
			"standing: process 7 has not said how it is (for 25s)", []trouble.Kind{trouble.Stuck}},
		"what it said long ago": {func(f *Figures) {
			f.Age = 25 * time.Second
			f.State.Troubles = []trouble.Trouble{{Kind: trouble.DiskFull, Since: ago(time.Hour)}}
		}, "standing: process 7 has not said", []trouble.Kind{trouble.Stuck}},
		"a full disk": {func(f *Figures) {
			f.State.Troubles = []trouble.Trouble{
				{Kind: trouble.LogRefuses, About: "here", Since: ago(time.Minute), Reason: "its server has not answered within 10s"},
				{Kind: trouble.DiskFull, About: "/d", Since: ago(2 * time.Minute), Reason: "resume wants 16 MiB, 8 MiB are free",
					Figures: map[string]int64{"free_bytes": 8 << 20, "wanted_bytes": 16 << 20}}}
		}, "standing: the log does not take messages [here]: its server has not answered within 10s (for 1m); the disk is full [/d]: resume wants 16 MiB, 8 MiB are free (for 2m)",
			[]trouble.Kind{trouble.LogRefuses, trouble.DiskFull}},
		"a reason of several errors": {func(f *Figures) {
			f.State.Troubles = []trouble.Trouble{{Kind: trouble.Projection, About: "D", Since: ago(time.Hour), Reason: "one\nanother"}}
		}, "standing: the log is not projected [D]: one; another (for 1h00m)", []trouble.Kind{trouble.Projection}},
		"a stream is gone": {func(f *Figures) { f.Streams[0].Gone = true }, "standing: stream PROCTAPE_SNAPSHOTS is gone", []trouble.Kind{trouble.StreamGone}},
		"the log does not answer": {func(f *Figures) { f.Log.Error = "no answer in time" },
			"standing: the log does not answer: no answer in time", []trouble.Kind{trouble.LogSilent}},
		"the projection stands, and says why": {func(f *Figures) {
			f.State.Troubles = []trouble.Trouble{{Kind: trouble.Projection, About: "D/monitor.db", Since: ago(time.Hour), Reason: "message 4 made it panic"}}
			f.State.Projects[schema.StreamSnapshots] = state.Place{Seq: 10, Moved: ago(time.Hour).UnixNano()}
			f.Streams[0].Last, f.Streams[0].Oldest = 900, ago(time.Hour)
		}, "standing: the log is not projected [D/monitor.db]: message 4 made it panic (for 1h00m)", []trouble.Kind{trouble.Projection}},
		"the projection stands, and does not know": {func(f *Figures) {
			f.State.Projects[schema.StreamSnapshots] = state.Place{Seq: 10, Moved: ago(2 * time.Minute).UnixNano()}
			f.Streams[0].Last, f.Streams[0].Oldest = 900, ago(2*time.Minute)
		}, "standing: the projection of PROCTAPE_SNAPSHOTS stands: 890 messages wait (for 2m)", []trouble.Kind{trouble.Projection}},
		"behind": {func(f *Figures) { f.Streams[0].Last, f.Streams[0].Oldest = 900, ago(time.Minute) },
			"degraded: the database is 890 messages of PROCTAPE_SNAPSHOTS behind (for 1m)", []trouble.Kind{trouble.Behind}},
		"hardly behind": {func(f *Figures) { f.Streams[0].Last, f.Streams[0].Oldest = 900, ago(20*time.Second) }, "well", nil},
		"a queue": {func(f *Figures) { f.State.Sampler.Waiting, f.State.Sampler.WaitingBytes = 4000, 20<<20 },
			"degraded: 4000 items wait in the sampler, 31 % of what may wait", []trouble.Kind{trouble.Queue}},
		"a short queue": {func(f *Figures) { f.State.Sampler.Waiting, f.State.Sampler.WaitingBytes = 400, 2<<20 }, "well", nil},
		"a silent host": {func(f *Figures) { f.Hosts[0].Seen = ago(3 * time.Minute) }, "degraded: host here is silent (for 3m)", []trouble.Kind{trouble.SilentHost}},
		"a host whose sampler said that it stops": {func(f *Figures) { f.Hosts[0].Seen, f.Hosts[0].Stopped = ago(3*time.Minute), true }, "well", nil},
		"a host that is a little late":            {func(f *Figures) { f.Hosts[0].Seen = ago(16 * time.Second) }, "well", nil},
		"silent, and nobody could have heard it": {func(f *Figures) {
			f.Hosts[0].Seen, f.Log.Error = ago(time.Hour), "no answer in time"
		}, "standing: the log does not answer", []trouble.Kind{trouble.LogSilent}},
		"a clock that is ahead": {func(f *Figures) { f.Hosts[0].Ahead = 42 * time.Second },
			"degraded: the clock of here is 42s ahead of the log's", []trouble.Kind{trouble.ClockDiffers}},
		"a clock that is behind": {func(f *Figures) { f.Hosts[0].Ahead = -90 * time.Second },
			"degraded: the clock of here is 1m behind the log's, or its samples come late", []trouble.Kind{trouble.ClockDiffers}},
		"a clock that was set": {func(f *Figures) {
			f.Steps = []Step{{"here", float64(ago(time.Minute).Unix()), "the wall clock was set by 3s; nothing is missing"}}
		},
			"degraded: host here: the wall clock was set by 3s; nothing is missing (for 1m)", []trouble.Kind{trouble.ClockStep}},
		"two recorders": {func(f *Figures) { f.Doubles = []string{"here"} }, "degraded: two samplers record under the name here", []trouble.Kind{trouble.TwoRecorders}},
		"losses": {func(f *Figures) {
			f.Lost = append(f.Lost, Loss{schema.GapDropped, 19197, 0, float64(ago(time.Minute).Unix())}, Loss{schema.GapLogDamaged, 0, 1, float64(ago(time.Minute).Unix())})
		}, "degraded: 19197 lost (dropped) (for 1m); something is lost, nobody knows how much (log_damaged) (for 1m)", []trouble.Kind{trouble.Losses, trouble.Losses}},
		"quarantine": {func(f *Figures) { f.Lost = []Loss{{schema.GapQuarantined, 2, 0, float64(ago(time.Minute).Unix())}} },
			"degraded: 2 items came that cannot be read", []trouble.Kind{trouble.Quarantine}},
		"late samples":        {func(f *Figures) { f.Late[0].Samples = 100 }, "degraded: 100 samples of here were not taken", []trouble.Kind{trouble.LateSamples}},
		"retention fails":     {func(f *Figures) { f.Retention = "delete events: disk I/O error" }, "degraded: the last pass of retention failed: delete events", []trouble.Kind{trouble.Retention}},
		"a proof that failed": {func(f *Figures) { f.Proof = &Proof{Failed: "hour 3 does not match"} }, "degraded: hour 3 does not match", []trouble.Kind{trouble.Proof}},
		"a proof":             {func(f *Figures) { f.Proof = &Proof{Until: new(float64)} }, "well", nil},
		"the worst comes first": {func(f *Figures) { f.Doubles, f.Streams[0].Gone = []string{"here"}, true },
			"standing: stream PROCTAPE_SNAPSHOTS is gone; two samplers", []trouble.Kind{trouble.StreamGone, trouble.TwoRecorders}},
		"nobody writes the database": {func(f *Figures) { f.Projector, f.State = 0, nil },
			"standing: nobody projects the log into D/monitor.db", []trouble.Kind{trouble.NoProjector}},
		"remote": {func(f *Figures) { f.Remote, f.Recorder = true, 0 }, "well", nil},
		"remote, without a database": {func(f *Figures) {
			f.Remote, f.Recorder, f.Projector, f.Database, f.State = true, 0, 0, "", nil
			f.Streams[0].Seq, f.Streams[0].Oldest = 0, ago(time.Hour)
		}, "well", nil},
		"remote, with a database that nobody writes": {func(f *Figures) { f.Remote, f.Recorder, f.Projector, f.State = true, 0, 0, nil },
			"standing: nobody projects", []trouble.Kind{trouble.NoProjector}},
		"project alone": {func(f *Figures) { f.Recorder = 0 }, "well", nil},
	} {
		t.Run(name, func(t *testing.T) {
			f := sound()
			c.change(&f)
			v := Judge(f)
			if !strings.HasPrefix(v.Line(), c.line) || c.line == "well" && v.Line() != "well" {
				t.Errorf("got  %s\nwant %s", v.Line(), c.line)
			}
			var kinds []trouble.Kind
			for _, r := range v.Troubles {
				kinds = append(kinds, r.Kind)
			}
			if len(kinds) != len(c.kinds) {
				t.Fatalf("got %v, want %v", kinds, c.kinds)
			}
			for i := range kinds {
				if kinds[i] != c.kinds[i] {
					t.Errorf("got %v, want %v", kinds, c.kinds)
				}
			}
		})
	}
}

// Of many silent hosts some are named, and the others counted.
func TestJudge_ManySilentHosts(t *testing.T) {
	f := sound()
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		f.Hosts = append(f.Hosts, Host{Name: name, Seen: ago(time.Minute), Asked: true, Interval: time.Second})
	}
	v := Judge(f)
	if want := "degraded: host a is silent (for 1m); host b is silent (for 1m); host c is silent (for 1m); 3 more hosts are silent"; v.Line() != want {
		t.Errorf("got  %s\nwant %s", v.Line(), want)
	}
	if got := v.Troubles[3].Figures["hosts"]; got != 3 {
		t.Errorf("got %d more", got)
	}
}

func TestShort(t *testing.T) {
	for d, want := range map[time.Duration]string{-time.Second: "0s", 59 * time.Second: "59s", 90 * time.Second: "1m", 26*time.Hour + 5*time.Minute: "26h05m", 72 * time.Hour: "3d"} {
		if got := short(d); got != want {
			t.Errorf("%s: got %s, want %s", d, got, want)
		}
	}
}
