package events

import (
	"log/slog"
	"strings"
	"testing"

	"github.com/proctape/proctape/producer/jobs"
	"github.com/proctape/proctape/producer/oom"
	"github.com/proctape/proctape/producer/procfs"
	"github.com/proctape/proctape/schema"
)

// newWatcher returns one without a source, which knows 5 to be job j's, and whose snapshots have 40 ms of each process.
func newWatcher(t *testing.T, rules ...jobs.Rule) *Watcher {
	t.Helper()
	w := NewWatcher(Config{Claims: jobs.NewClaims(jobs.Naming{Rules: rules}, 0, nil), OOM: oom.Open(oom.Config{Log: slog.New(slog.DiscardHandler)}),
		SampledCPU: func(pid int, start uint64) schema.Opt[int64] { return schema.Some(int64(40)) }})
	t.Cleanup(func() { w.cfg.OOM.Close() })
	w.cfg.Claims.Observe([]procfs.Process{{PID: 1, StartTicks: 1}, {PID: 5, PPID: 1, StartTicks: 10,
		Env: map[string]string{jobs.EnvJob: "j", jobs.EnvSheet: "2"}}})
	return w
}

// occurrence is what a source tells of process 60, a child of 5.
func occurrence(kind schema.Kind, edit func(*schema.Event)) schema.KindedEvent {
	some := schema.Some[int64]
	e := schema.Event{Wall: 7, Boot: 8, PID: 60, PPID: some(5), StartTicks: 20, Command: "cc", Source: "connector"}
	if kind == schema.KindExit {
		e.CPUMillis, e.PeakRSS, e.ReadKiB, e.WriteKiB, e.Lifetime = some(50), some(1000), some(1), some(2), some(300)
	}
	if edit != nil {
		edit(&e)
	}
	return schema.KindedEvent{Kind: kind, Event: e}
}

func TestWatcher_Add(t *testing.T) {
	some := schema.Some[int64]
	tests := map[string]struct {
		edit func(*schema.Event)
		want string // what is told of its end
	}{
		"a code":             {func(e *schema.Event) { e.ExitCode = some(3) }, "event.exit"},
		"nobody knows":       {nil, "event.exit"},
		"a signal":           {func(e *schema.Event) { e.Signal = some(15) }, "event.exit event.signal"},
		"killed":             {func(e *schema.Event) { e.Signal = some(9) }, "event.exit event.kill"},
		"a core is dumped":   {func(e *schema.Event) { e.Signal, e.Core = some(11), true }, "event.exit event.signal"},
		"a real-time signal": {func(e *schema.Event) { e.Signal = some(64) }, "event.exit event.signal"},
	}
	for name, tt := range tests {
		w := newWatcher(t)
		told := w.addEvent(nil, occurrence(schema.KindSpawn, nil))
		if len(told) != 1 || told[0].Event.SampledCPU.Known {
			t.Errorf("%s: its start: got %+v", name, told)
		}
		told = w.addEvent(told, occurrence(schema.KindExit, tt.edit))
		var kinds []string
		for _, o := range told {
			if o.Event.JobID != "j" || o.Event.Sheet != some(2) || o.Event.PID != 60 {
				t.Errorf("%s: got %s %+v, want one of j, 2", name, o.Kind, o.Event)
			}
			kinds = append(kinds, string(o.Kind))
		}
		if got := strings.Join(kinds, " "); got != "event.spawn "+tt.want {
			t.Errorf("%s: got %s, want a spawn and %s", name, got, tt.want)
			continue
		}
		exit := told[1].Event
		if exit.SampledCPU != some(40) || exit.CPUMillis != some(50) {
			t.Errorf("%s: got %+v, want 50 ms of which 40 were sampled", name, exit)
		}
		if len(told) == 3 { // all but what is counted once
			exit.CPUMillis, exit.PeakRSS, exit.ReadKiB, exit.WriteKiB, exit.SampledCPU = schema.Opt[int64]{}, schema.Opt[int64]{}, schema.Opt[int64]{}, schema.Opt[int64]{}, schema.Opt[int64]{}
			if told[2].Event != exit {
				t.Errorf("%s: got %+v, want %+v", name, told[2].Event, exit)
			}
		}
		if got := w.cfg.Claims.OwnerOf(60, 20); got != (jobs.Owner{}) {
			t.Errorf("%s: remembers that it was of %+v", name, got)
		}
	}
}

// What its conductor publishes is not published twice, and counts for whose its children are all the same.
func TestWatcher_LeavesOutWhatRunPublishes(t *testing.T) {
	w := newWatcher(t)
	w.cfg.Claims.ApplyJobEvent(&schema.JobEvent{Type: schema.JobDeclared, JobID: "k", PID: schema.Some(int64(1)), StartTicks: 1, OwnEvents: true}, 5)
	var told []schema.KindedEvent
	told = w.addEvent(told, occurrence(schema.KindSpawn, func(e *schema.Event) { e.PPID = schema.Some(int64(1)) }))
	told = w.addEvent(told, occurrence(schema.KindSpawn, func(e *schema.Event) { e.PID, e.PPID = 61, schema.Some(int64(60)) }))
	told = w.addEvent(told, occurrence(schema.KindExit, func(e *schema.Event) { e.Signal = schema.Some(int64(9)) }))
	if len(told) != 0 {
		t.Errorf("told %+v", told)
	}
	if got := w.cfg.Claims.OwnerOf(61, 20).Job; got != "k" {
		t.Errorf("the child: got job %q, want k", got)
	}
	told = w.addEvent(told, occurrence(schema.KindSpawn, func(e *schema.Event) { e.PID, e.PPID = 70, schema.Some(int64(99)) }))
	if len(told) != 1 || told[0].Event.JobID != "" {
		t.Errorf("of a stranger: told %+v", told)
	}
}

// A rule on the command line holds for a process that was gone before /proc could be read.
func TestWatcher_CommandRule(t *testing.T) {
	rule, err := jobs.ParseRule("command:/w/*=$1")
	if err != nil {
		t.Fatal(err)
	}
	w := newWatcher(t, rule)
	stranger := func(e *schema.Event) { e.PPID, e.Command = schema.Some(int64(1)), "cc -o /w/k/x.o" }
	for _, kind := range []schema.Kind{schema.KindSpawn, schema.KindExit} {
		if told := w.addEvent(nil, occurrence(kind, stranger)); len(told) != 1 || told[0].Event.JobID != "k" {
			t.Errorf("%s: told %+v, want job k", kind, told)
		}
	}
}

// An exec is its process's job's, and a rule on the new command line holds.
func TestWatcher_Exec(t *testing.T) {
	rule, err := jobs.ParseRule("command:/w/*=$1")
	if err != nil {
		t.Fatal(err)
	}
	w := newWatcher(t, rule)
	for name, tt := range map[string]struct {
		parent int64
		want   string
	}{"of a job's process": {5, "j"}, "of nobody's": {1, "k"}} {
		told := w.addEvent(nil, occurrence(schema.KindSpawn, func(e *schema.Event) { e.PPID = schema.Some(tt.parent) }))
		told = w.addEvent(told, occurrence(schema.KindExec, func(e *schema.Event) { e.PPID, e.Command = schema.Some(tt.parent), "ld /w/k/x.o" }))
		if len(told) != 2 || told[1].Kind != schema.KindExec || told[1].Event.JobID != tt.want || told[1].Event.SampledCPU.Known {
			t.Errorf("%s: got %+v, want an exec of job %s", name, told, tt.want)
		}
		w.addEvent(nil, occurrence(schema.KindExit, nil))
	}
}
