package anomaly_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/projector/anomaly"
	"github.com/proctape/proctape/schema"
)

// trace is what a sampler saw of a machine, and whether that was trouble: how many episodes its rule is to find in it.
type trace struct {
	rule     string
	what     string
	episodes int
	severity schema.Severity // the worst that is told; empty where it does not matter
	play     func(m *machine)
}

// machine plays a trace to rules, snapshot by snapshot.
type machine struct {
	t        *testing.T
	engine   *anomaly.Engine
	rule     string
	boot     int64
	period   time.Duration
	seq      uint64
	host     schema.Snapshot // what each snapshot has beside its processes
	begun    map[schema.Instance]bool
	told     []string
	severity schema.Severity
}

const (
	step   = 5 * time.Second
	bootOf = int64(72 * time.Hour) // of the first snapshot
)

func newMachine(t *testing.T, rules *anomaly.Rules, rule string) *machine {
	return &machine{t: t, engine: anomaly.NewEngine(rules), rule: rule, boot: bootOf, period: step, begun: map[schema.Instance]bool{},
		host: schema.Snapshot{CPUs: 16, MemoryTotal: 64 << 20, MemoryAvail: 32 << 20, Pressure: &schema.Pressure{}}}
}

// wallAt is the wall time of a boot time.
func wallAt(boot int64) int64 { return 1_795_000_000e9 + boot }

// see has the rules look at a message, and notes what they tell of.
func (m *machine) see(of *schema.Message) {
	m.seq++
	of.Envelope = schema.Envelope{Version: schema.Version, Kind: of.Kind, Host: "h", BootID: "b", Seq: m.seq, Wall: wallAt(m.boot), Boot: m.boot}
	for _, e := range m.engine.Observe(of) {
		if err := e.Validate(); err != nil {
			m.t.Fatal(err)
		}
		a := e.Anomaly
		if a.Rule != m.rule {
			continue
		}
		if m.severity = a.Severity; !m.begun[e.Instance] {
			m.begun[e.Instance] = true
			m.told = append(m.told, a.Description)
		}
	}
}

// snapshot has the rules look at processes, and lets a period pass.
func (m *machine) snapshot(processes ...schema.Process) {
	s := m.host
	s.Interval, s.Tick, s.Processes = int64(m.period), m.seq+1, schema.ProcessesOf(processes...)
	m.see(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindSnapshot}, Snapshot: &s})
	m.boot += s.Interval
}

// lasts plays one process for a time: change says what it is like after so long. The process is as old as age when it begins.
func (m *machine) lasts(age, length time.Duration, change func(after time.Duration, p *schema.Process)) {
	start := uint64((m.boot - int64(age)) / 1e7)
	m.period = max(step, (length / 720).Round(step)) // a long time is looked at less often: a test is to be quick
	for after := time.Duration(0); after < length; after += m.period {
		p := schema.Process{PID: 70, PPID: 1, StartTicks: start, State: "S", Threads: 4, Command: "/usr/sbin/server", CPUPermille: schema.Some[int64](0), RSS: schema.Some[int64](64 << 10)}
		change(after, &p)
		m.snapshot(p)
	}
}

// death is an end of a process.
type death struct {
	command  string
	job      string
	parent   int64
	code     int64
	signal   int64
	lifetime time.Duration
	wait     time.Duration // until the next
}

// dies has the rules look at ends, one after another.
func (m *machine) dies(deaths ...death) {
	for _, d := range deaths {
		e := schema.Event{PID: 1000 + int(m.seq), PPID: schema.Some(max(d.parent, 1)), StartTicks: uint64((m.boot - int64(d.lifetime)) / 1e7), Command: d.command, JobID: d.job,
			Lifetime: schema.Some(d.lifetime.Milliseconds()), Boot: m.boot, Wall: wallAt(m.boot), Source: "taskstats"}
		if d.signal > 0 {
			e.Signal = schema.Some(d.signal)
		} else {
			e.ExitCode = schema.Some(d.code)
		}
		m.see(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindExit}, Events: []schema.Event{e}})
		m.boot += int64(d.wait)
	}
}

// playTrace is what a rule finds in a trace.
func playTrace(t *testing.T, rules *anomaly.Rules, tr *trace) *machine {
	t.Helper()
	m := newMachine(t, rules, tr.rule)
	tr.play(m)
	return m
}

// plainRules are the rules without what tells trouble from work.
func plainRules(t *testing.T) *anomaly.Rules {
	t.Helper()
	list, err := anomaly.ReadRules("testdata/plain.yaml")
	if err != nil {
		t.Fatal(err)
	}
	plain, err := anomaly.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// Each rule finds nothing in what healthy machines do, and each trouble once. The control is the rule without what tells the two apart: it cries at what is healthy.
func TestTraces(t *testing.T) {
	plain := plainRules(t)
	var table strings.Builder
	table.WriteString("| rule | what happens | is to be told of | is told of | without what tells them apart |\n|---|---|---|---|---|\n")
	controls := map[string]bool{}
	for i := range traces {
		tr := &traces[i]
		got, without := playTrace(t, builtIn(t), tr), playTrace(t, plain, tr)
		fmt.Fprintf(&table, "| `%s` | %s | %d | %d | %d |\n", tr.rule, tr.what, tr.episodes, len(got.told), len(without.told))
		if len(got.told) != tr.episodes {
			t.Errorf("%s: %s: it tells of %d, want %d: %q", tr.rule, tr.what, len(got.told), tr.episodes, got.told)
		}
		if tr.severity != "" && got.severity != tr.severity {
			t.Errorf("%s: %s: it is %s at last, want %s", tr.rule, tr.what, got.severity, tr.severity)
		}
		if len(without.told) > tr.episodes {
			controls[tr.rule] = true
		}
	}
	t.Log("\n" + table.String())
	for _, name := range []string{"memory_spike", "runaway_process", "memory_pressure", "oom", "crash_loop", "fork_storm", "leak", "stuck_in_d", "thread_growth", "fd_growth", "cpu_starvation"} {
		if !controls[name] {
			t.Errorf("control: the plain %s cries at nothing that is healthy", name)
		}
	}
	checkTable(t, tracesBegin, table.String())
}

// What was told of is known after a restart: what the kernel kills a moment later is part of that. The control is an engine that remembers nothing.
func TestOnce_OutlivesARestart(t *testing.T) {
	m := newMachine(t, builtIn(t), "oom")
	killed(m, "", 1)
	next := anomaly.NewEngine(builtIn(t))
	if _, err := next.Load(schema.StreamEvents, "h", m.engine.Save(schema.StreamEvents, "h")); err != nil {
		t.Fatal(err)
	}
	m.engine = next
	if killed(m, "", 1); len(m.told) != 1 {
		t.Errorf("told of %d, want 1", len(m.told))
	}
	m.engine = anomaly.NewEngine(builtIn(t))
	if killed(m, "", 1); len(m.told) != 2 {
		t.Errorf("control: told of %d, want 2", len(m.told))
	}
}
