package anomaly_test

import (
	"slices"
	"testing"

	"github.com/proctape/proctape/projector/anomaly"
	"github.com/proctape/proctape/schema"
	"github.com/proctape/proctape/schema/metric"
)

// descriptors is how many files a process has open, and how many it may have; -1: unknown.
type descriptors struct{ open, limit int64 }

// server is a process that is looked at every five seconds: what rules tell of it, as "fd_exhaustion began" or "fd_exhaustion ended".
func server(t *testing.T, rules *anomaly.Rules, seen ...descriptors) (told []string) {
	t.Helper()
	engine := anomaly.NewEngine(rules)
	const start = int64(1_000_000) // ticks
	for i, d := range seen {
		boot := start*1e7 + (5000+5*int64(i))*1e9
		p := schema.Process{PID: 70, PPID: 1, StartTicks: uint64(start), State: "S", Threads: 1, Command: "/usr/sbin/server"}
		p.SetNumber(metric.OpenFDs, schema.Opt[int64]{V: d.open, Known: d.open >= 0})
		p.SetNumber(metric.FDLimit, schema.Opt[int64]{V: d.limit, Known: d.limit >= 0})
		s := &schema.Snapshot{Interval: 5e9, Tick: uint64(i) + 1, CPUs: 2, Processes: schema.ProcessesOf(p)}
		m := &schema.Message{Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindSnapshot, Host: "h", BootID: "b", Seq: uint64(i) + 1, Wall: 1_795_000_000e9 + boot, Boot: boot}, Snapshot: s}
		for _, e := range engine.Observe(m) {
			if err := e.Validate(); err != nil {
				t.Fatal(err)
			}
			what := "began"
			if e.Anomaly.Ended.Known {
				what = "ended"
			}
			told = append(told, e.Anomaly.Rule+" "+what)
			t.Logf("%d of %d: %s %s, threshold %v: %s", d.open, d.limit, e.Anomaly.Rule, what, e.Anomaly.Threshold, e.Anomaly.Description)
		}
	}
	return told
}

// changed are the built-in rules, of which one says something else.
func changed(t *testing.T, name string, change func(r *anomaly.Rule)) *anomaly.Rules {
	t.Helper()
	list := anomaly.BuiltIn()
	i := slices.IndexFunc(list, func(r anomaly.Rule) bool { return r.Name == name })
	change(&list[i])
	rules, err := anomaly.Compile(list)
	if err != nil {
		t.Fatal(err)
	}
	return rules
}

// A process is out of descriptors when it has nearly as many as it may, however many that are. The control is the rule as it was: a number for all.
func TestFDExhaustion_IsOfTheLimit(t *testing.T) {
	const began, ended = "fd_exhaustion began", "fd_exhaustion ended"
	bounded := changed(t, "fd_exhaustion", func(r *anomaly.Rule) { r.Settings["max_open_fds"] = 1000 })
	old := changed(t, "fd_exhaustion", func(r *anomaly.Rule) {
		r.Settings, r.When, r.Until, r.Limit = map[string]float64{"max_open_fds": 1000}, "open_fds >= max_open_fds", "open_fds < max_open_fds * 0.9", "max_open_fds"
	})
	for _, c := range []struct {
		what string
		seen []descriptors
		want []string // with the built-in rule
		max  []string // with max_open_fds 1000
		old  []string
	}{
		{"far from its limit", []descriptors{{20_000, 100_000}, {50_000, 100_000}}, nil, []string{began}, []string{began}},
		{"at its limit", []descriptors{{899, 1000}, {900, 1000}, {1000, 1000}, {850, 1000}, {799, 1000}}, []string{began, ended}, []string{began, ended}, []string{began, ended}},
		{"at a low limit", []descriptors{{359, 400}, {360, 400}, {400, 400}, {320, 400}, {319, 400}, {10, -1}}, []string{began, ended}, []string{began, ended}, nil},
		{"it closes nearly all", []descriptors{{400, 400}, {10, -1}, {10, -1}}, []string{began, ended}, []string{began, ended}, nil},
		{"its limit is raised", []descriptors{{400, 400}, {400, 4000}}, []string{began, ended}, []string{began, ended}, nil},
		{"its limit is not known", []descriptors{{5000, -1}, {5000, -1}, {799, -1}}, nil, []string{began, ended}, []string{began, ended}},
		{"its limit is no longer known", []descriptors{{400, 400}, {300, -1}, {400, -1}, {300, 400}}, []string{began, ended}, nil, nil},
		{"its descriptors are no longer known", []descriptors{{400, 400}, {-1, -1}}, []string{began}, []string{began}, nil},
	} {
		for name, r := range map[string]struct {
			rules *anomaly.Rules
			want  []string
		}{"built in": {builtIn(t), c.want}, "with max_open_fds": {bounded, c.max}, "as it was": {old, c.old}} {
			if name == "with max_open_fds" && c.max == nil {
				continue
			}
			t.Run(c.what+", "+name, func(t *testing.T) {
				if got := server(t, r.rules, c.seen...); !slices.Equal(got, r.want) {
					t.Errorf("got %v, want %v", got, r.want)
				}
			})
		}
	}
	i := slices.IndexFunc(anomaly.BuiltIn(), func(r anomaly.Rule) bool { return r.Name == "fd_exhaustion" })
	if got := anomaly.BuiltIn()[i].Settings["min_open_fds"]; got != metric.ManyFDs {
		t.Errorf("min_open_fds is %v, and limits are read from %d descriptors on", got, metric.ManyFDs)
	}
}
