package simulate

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/producer/scrub"
	"github.com/proctape/proctape/schema"
)

var start = time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)

func newFleet(t testing.TB, cfg Config) *Fleet {
	t.Helper()
	f, err := NewFleet(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestFleet_MessagesAreConsistent is the promise: whatever the configuration, every message is valid, counters do not fall and are
// what the rates come to, and who is new or gone has an event that says so.
func TestFleet_MessagesAreConsistent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := drawConfig(t)
		f, err := NewFleet(cfg)
		if err != nil {
			t.Fatal(err)
		}
		stories := make([]*consistency, f.Len())
		for i := range stories {
			stories[i] = newConsistency(cfg, f.Host(i).Name())
		}
		for range rapid.IntRange(2, 40).Draw(t, "steps") {
			for i, s := range stories {
				if err := s.step(f.Host(i).Step()); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func drawConfig(t *rapid.T) Config {
	cfg := Config{
		Hosts: rapid.IntRange(1, 3).Draw(t, "hosts"), Processes: rapid.IntRange(1, 150).Draw(t, "processes"),
		Interval: time.Duration(rapid.Int64Range(int64(MinInterval), int64(5*time.Minute)).Draw(t, "interval")),
		Churn:    rapid.Float64Range(0, MaxChurn).Draw(t, "churn"), Seed: rapid.Uint64().Draw(t, "seed"), Start: start,
	}
	cfg.Jobs = rapid.IntRange(0, min(4, MaxJobs(cfg.Processes))).Draw(t, "jobs")
	return cfg
}

// TestConsistency_FindsFaults is the control of the test above: each of these fleets breaks one promise.
func TestConsistency_FindsFaults(t *testing.T) {
	cfg := Config{Hosts: 1, Processes: 60, Interval: 5 * time.Second, Churn: 3, Jobs: 1, Start: start}
	without := func(kind schema.Kind) func([]schema.Message) []schema.Message {
		return func(m []schema.Message) []schema.Message {
			return slices.DeleteFunc(m, func(m schema.Message) bool { return m.Kind == kind })
		}
	}
	inSnapshot := func(change func(*schema.Snapshot)) func([]schema.Message) []schema.Message {
		return func(m []schema.Message) []schema.Message {
			change(m[0].Snapshot)
			return m
		}
	}
	inRows := func(change func([]schema.Process) []schema.Process) func([]schema.Message) []schema.Message {
		return inSnapshot(func(s *schema.Snapshot) { s.Processes = schema.ProcessesOf(change(s.Processes.Rows())...) })
	}
	inProcess := func(row int, change func(*schema.Process)) func([]schema.Message) []schema.Message {
		return inRows(func(rows []schema.Process) []schema.Process {
			change(&rows[row])
			return rows
		})
	}
	for _, test := range []struct {
		name, objection string
		spoil           func([]schema.Message) []schema.Message
	}{
		{"no spawns", "is new, its spawn is", without(schema.KindSpawn)},
		{"no execs", "is new, its spawn is", without(schema.KindExec)},
		{"no exits", "is gone, its exit is", without(schema.KindExit)},
		{"no snapshot", "no snapshot", without(schema.KindSnapshot)},
		{"CPU falls", "a counter fell", inRows(func(rows []schema.Process) []schema.Process {
			for i := range rows {
				rows[i].CPUMillis /= 2
			}
			return rows
		})},
		{"CPU without a rate", "permille", inProcess(3, func(p *schema.Process) { p.CPUMillis += 10_000 })},
		{"a rate without CPU", "permille", inProcess(3, func(p *schema.Process) { p.CPUPermille.V += 2 })},
		{"reads fall", "a counter fell", inProcess(2, func(p *schema.Process) { p.ReadKiB = schema.Some[int64](0) })},
		{"half a page", "no whole pages", inProcess(3, func(p *schema.Process) { p.RSS.V += 2 })},
		{"an odd address space", "no whole pages", inProcess(3, func(p *schema.Process) { p.VMS.V++ })},
		{"an orphan", "no parent", inProcess(5, func(p *schema.Process) { p.PPID = 299 })},
		{"another command", "became another", inProcess(0, func(p *schema.Process) { p.Command = "another" })},
		{"one too few", "processes, want", inRows(func(rows []schema.Process) []schema.Process { return rows[:len(rows)-1] })},
		{"a tick twice", "after tick", inSnapshot(func(s *schema.Snapshot) { s.Tick-- })},
		{"a number twice", "has number", func(m []schema.Message) []schema.Message {
			m[0].Seq--
			return m
		}},
		{"no boot id", "no boot id", func(m []schema.Message) []schema.Message {
			m[0].BootID = ""
			return m
		}},
		{"an event out of time", "between looks", func(m []schema.Message) []schema.Message {
			m[1].Events[0].Boot -= int64(cfg.Interval)
			return m
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, s := newFleet(t, cfg), newConsistency(cfg, "sim-0001")
			for range 3 {
				if err := s.step(f.Host(0).Step()); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.step(test.spoil(f.Host(0).Step())); err == nil || !strings.Contains(err.Error(), test.objection) {
				t.Errorf("got %v, want an objection that holds %q", err, test.objection)
			}
		})
	}
}

// messages are all that a fleet makes in some steps, as a log would keep it.
func messages(t *testing.T, cfg Config, steps int) []byte {
	t.Helper()
	f := newFleet(t, cfg)
	var all []byte
	for range steps {
		for i := range f.Len() {
			for _, m := range f.Host(i).Step() {
				payload, _, err := schema.Encode(nil, &m)
				if err != nil {
					t.Fatal(err)
				}
				all = append(all, payload...)
			}
		}
	}
	return all
}

func TestFleet_IsOfItsSeed(t *testing.T) {
	cfg := Config{Hosts: 3, Processes: 80, Interval: 5 * time.Second, Churn: 2, Jobs: 2, Seed: 7, Start: start}
	first := messages(t, cfg, 50)
	if !bytes.Equal(first, messages(t, cfg, 50)) {
		t.Error("the same seed made other messages")
	}
	cfg.Seed++
	if bytes.Equal(first, messages(t, cfg, 50)) {
		t.Error("another seed made the same messages")
	}
}

// TestFleet_BeginsAgain: at another time the same processes do the same, but as those of another boot.
func TestFleet_BeginsAgain(t *testing.T) {
	cfg := Config{Hosts: 1, Processes: 80, Interval: 5 * time.Second, Churn: 2, Seed: 7, Start: start}
	later := cfg
	later.Start = start.Add(time.Hour)
	a, b := newFleet(t, cfg).Host(0), newFleet(t, later).Host(0)
	for range 50 {
		before, after := a.Step(), b.Step()
		if len(before) != len(after) {
			t.Fatalf("%d messages, then %d", len(before), len(after))
		}
		for i := range before {
			x, y := &before[i], &after[i]
			if y.Wall-x.Wall != int64(time.Hour) || x.BootID == y.BootID || x.Instance == y.Instance {
				t.Fatalf("got %+v and %+v", x.Envelope, y.Envelope)
			}
			y.Wall, y.BootID, y.Instance = x.Wall, x.BootID, x.Instance
			for j := range y.Events {
				y.Events[j].Wall -= int64(time.Hour)
			}
			for j := range y.Execs {
				y.Execs[j].Wall -= int64(time.Hour)
			}
			if got, want := mustEncode(t, y), mustEncode(t, x); !bytes.Equal(got, want) {
				t.Fatalf("message %d of tick %d differs", i, before[0].Snapshot.Tick)
			}
		}
	}
}

func mustEncode(t *testing.T, m *schema.Message) []byte {
	t.Helper()
	payload, _, err := schema.Encode(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	return payload
}

// live lets one host live for some steps, and returns what was seen of it.
func live(t *testing.T, cfg Config, steps int) tally {
	t.Helper()
	f, s := newFleet(t, cfg), newConsistency(cfg, "sim-0001")
	for range steps {
		if err := s.step(f.Host(0).Step()); err != nil {
			t.Fatal(err)
		}
	}
	return s.seen
}

func TestFleet_ReplacesAsManyAsAsked(t *testing.T) {
	cfg := Config{Hosts: 1, Processes: 200, Interval: 5 * time.Second, Jobs: 2, Start: start}
	for _, churn := range []float64{0, 0.1, 1} {
		t.Run(fmt.Sprint(churn), func(t *testing.T) {
			cfg.Churn = churn
			const minutes = 8
			got := live(t, cfg, minutes*12+1)
			want := churn * float64(cfg.Processes) * minutes
			// A job's step, which ends as a whole, may have been paid for and not come yet, or the other way round.
			if math.Abs(float64(got.spawns)-want) > 2*largestJob || got.exits != got.spawns {
				t.Errorf("got %d spawns and %d exits, want %.0f", got.spawns, got.exits, want)
			}
			if (got.sheets > 0) != (churn > 0) {
				t.Errorf("%d steps of jobs ended", got.sheets)
			}
		})
	}
}

func TestFleet_LooksLikeHosts(t *testing.T) {
	got := live(t, Config{Hosts: 1, Processes: 200, Interval: 5 * time.Second, Churn: 0.5, Jobs: 2, Start: start}, 250)
	share := func(n int) float64 { return float64(n) / float64(got.rows) }
	if idle := share(got.idle); idle < 0.6 || idle > 0.95 {
		t.Errorf("%.2f of the processes are idle", idle)
	}
	if busy := share(got.busy); busy == 0 || busy > 0.2 {
		t.Errorf("%.2f of the processes are busy", busy)
	}
	if got.zombies == 0 || share(got.zombies) > 0.01 {
		t.Errorf("%d zombies in %d rows", got.zombies, got.rows)
	}
	if got.jobs == 0 || got.sheets < got.jobs {
		t.Errorf("%d jobs ended, and %d steps", got.jobs, got.sheets)
	}
	t.Logf("%+v", got)
}

// TestFleet_UsesPIDsAgain: they come to their end and begin again, and are never two processes' at once.
func TestFleet_UsesPIDsAgain(t *testing.T) {
	cfg := Config{Hosts: 1, Processes: 50, Interval: 5 * time.Second, Churn: 10, Start: start}
	f := newFleet(t, cfg)
	owners := map[int]uint64{}
	again := 0
	for range 1500 {
		for _, p := range f.Host(0).Step()[0].Snapshot.Processes.Rows() {
			if begun, known := owners[p.PID]; known && begun != p.StartTicks {
				again++
			}
			owners[p.PID] = p.StartTicks
		}
	}
	if again == 0 {
		t.Errorf("none of %d pids was used again", len(owners))
	}
}

// TestFleet_LargestHosts make messages that a log takes.
func TestFleet_LargestHosts(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	cfg := Config{Hosts: 1, Processes: schema.MaxProcesses, Interval: time.Second, Churn: 10, Jobs: 500, Start: start}
	f, s := newFleet(t, cfg), newConsistency(cfg, "sim-0001")
	for range 2 {
		if err := s.step(f.Host(0).Step()); err != nil {
			t.Fatal(err)
		}
	}
	if s.seen.spawns < schema.MaxEvents*3 {
		t.Errorf("%d spawns fit into one message a step", s.seen.spawns)
	}
}

func TestConfig_RefusesByName(t *testing.T) {
	good := Config{Hosts: 1, Processes: 10, Interval: time.Second, Start: start}
	for field, spoil := range map[string]func(*Config){
		"hosts":     func(c *Config) { c.Hosts = 0 },
		"processes": func(c *Config) { c.Processes = schema.MaxProcesses + 1 },
		"interval":  func(c *Config) { c.Interval = time.Millisecond },
		"churn":     func(c *Config) { c.Churn = math.NaN() },
		"jobs":      func(c *Config) { c.Jobs = 4 },
		"start":     func(c *Config) { c.Start = time.Time{} },
	} {
		t.Run(field, func(t *testing.T) {
			cfg := good
			spoil(&cfg)
			_, err := NewFleet(cfg)
			var bad *FieldError
			if !errors.As(err, &bad) || bad.Field != field {
				t.Errorf("got %v", err)
			}
		})
	}
	newFleet(t, good)
}

// TestPrograms_ArePossible: a sampler would show their command lines as they are, and none can use more than its threads.
func TestPrograms_ArePossible(t *testing.T) {
	scrubber, random := scrub.New(scrub.Scrubbed), randomOf(&Config{}, 0)
	check := func(p program) {
		line := p.line(random)
		if got := scrubber.Command("x", strings.Split(line, " ")); got != line {
			t.Errorf("a sampler would show %q for %q", got, line)
		}
		if strings.ContainsAny(line, "{}") {
			t.Errorf("%q has a gap", line)
		}
		if p.habit.high > 1000*uint64(p.threads) || p.habit.low > p.habit.high || p.habit.every == 0 || p.rss == 0 || p.fds == 0 {
			t.Errorf("%q: %+v", line, p)
		}
	}
	check(initProgram)
	check(samplerProgram)
	for _, s := range slices.Concat(daemons, services) {
		check(s.main)
		for _, w := range s.workers {
			check(w)
		}
		if (s.most > 0) != (len(s.workers) > 0) {
			t.Errorf("%s: %d workers of %d programs", s.cgroup, s.most, len(s.workers))
		}
	}
	for _, k := range jobKinds {
		for _, p := range slices.Concat([]program{k.root, k.step}, k.workers) {
			check(p)
		}
	}
}

// TestHost_StepReusesItsMemory: a step allocates for who is new and for nothing else.
func TestHost_StepReusesItsMemory(t *testing.T) {
	f := newFleet(t, Config{Hosts: 2, Processes: 200, Interval: 5 * time.Second, Jobs: 2, Start: start})
	step := func() {
		f.Host(0).Step()
		f.Host(1).Step()
	}
	step()
	if n := testing.AllocsPerRun(100, step); n > 0 {
		t.Errorf("%.0f allocations in two steps", n)
	}
}
