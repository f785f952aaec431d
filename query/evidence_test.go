package query

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/schema"
)

// seesEverything is what a sampler that sees everything says.
var seesEverything = []schema.Capability{schema.CapProcesses, schema.CapIO, schema.CapEventsTaskstats}

// wholeEvidence is that of a host of which all is known from one time to another.
func wholeEvidence(from, to float64) *evidence {
	return &evidence{host: "alpha", stretch: stretch{from, to}, taken: []stretch{{from - 5, to}}, heard: []stretch{{from - 5, to + 5}}, period: 5,
		began: from - 5, eventsFrom: math.Inf(-1), views: []viewed{{from: from - 5, capabilities: seesEverything, seen: 80}}}
}

func TestCoverage_Whole(t *testing.T) {
	c := wholeEvidence(1000, 1100).coverage()
	if !c.Complete || c.Percent != 100 || len(c.Reasons) > 0 || c.Missing == nil || *c.Missing != 0 || Incomplete([]Coverage{c}) != "" {
		t.Errorf("got %+v", c)
	}
}

// What is missing is told, whatever is missing: each case is whole but for one thing.
func TestCoverage_Reasons(t *testing.T) {
	zone := time.Local
	time.Local = time.UTC
	defer func() { time.Local = zone }()
	gap := func(kind schema.GapKind, from, to float64, count int64, message string) func(*evidence) {
		return func(e *evidence) {
			g := Gap{Kind: kind, From: &from, To: &to, Timestamp: to, Host: "alpha", Stream: schema.StreamEvents}
			if count > 0 {
				g.Count = &count
			}
			if message != "" {
				g.MessageKind = &message
			}
			e.gaps = append(e.gaps, g)
		}
	}
	sees := func(capabilities ...schema.Capability) func(*evidence) {
		return func(e *evidence) { e.views[0].capabilities = capabilities }
	}
	const unchanged = -1
	for name, c := range map[string]struct {
		change                     func(*evidence)
		snapshots, events, cpu, io float64
		line                       string
	}{
		"away":               {gap(schema.GapRestart, 1010, 1030, 0, ""), 100, 80, 80, 80, "the recorder was away 00:16:50–00:17:10"},
		"away at the edge":   {gap(schema.GapRestart, 990, 1010, 0, ""), 100, 90, 90, 90, "the recorder was away 00:16:30–00:16:50"},
		"overflow":           {gap(schema.GapEventsLost, 1010, 1020, 5000, ""), 100, 90, 90, 90, "(5 000 events that the kernel dropped) 00:16:50–00:17:00"},
		"records lost":       {gap(schema.GapExitRecordsLost, 1010, 1020, 3, ""), 100, 100, 90, 90, "without their exit record"},
		"spawns missing":     {gap(schema.GapMissing, 1010, 1011, 6016, "event.spawn"), 100, 99, 100, 100, "at least 6 016 processes are missing"},
		"exits in no time":   {gap(schema.GapDropped, 1010, 1010, 1, "event.exit"), 100, 100, 100, 100, "at least 1 process is missing"},
		"quarantined":        {gap(schema.GapQuarantined, 1010, 1020, 1, "snapshot"), 100, 100, 100, 100, "in quarantine"},
		"a kind to come":     {gap("eclipse", 1010, 1020, 1, ""), 100, 90, 90, 90, "eclipse"},
		"no restart":         {gap(schema.GapClockStep, 1010, 1020, 0, ""), 100, 100, 100, 100, ""},
		"begins late":        {func(e *evidence) { e.heard[0].from, e.began = 1003, 1003 }, unchanged, 97, 97, 97, "the record begins 3.0 s later, at 00:16:43"},
		"away now":           {func(e *evidence) { e.heard[0].to, e.taken[0].to = 1050, 1050 }, 50, 50, 50, 50, "the recorder was away 00:17:30–00:18:20"},
		"no snapshots":       {func(e *evidence) { e.taken = []stretch{{995, 1040}, {1060, 1100}} }, 80, 100, 100, 100, "no snapshots came 00:17:20–00:17:40"},
		"trimmed events":     {func(e *evidence) { e.eventsFrom = 1040 }, 100, 60, 60, 60, "retention has deleted what was recorded 00:16:40–00:17:20"},
		"trimmed snapshots":  {func(e *evidence) { e.taken[0].from = 1040 }, 60, 100, 100, 100, "retention has deleted"},
		"hidepid":            {func(e *evidence) { e.views[0].partial, e.views[0].seen, e.views[0].hidden = true, 2, 78 }, 2.5, 100, 100, 2.5, "only 2 of 80 processes were seen"},
		"hidepid, uncounted": {func(e *evidence) { e.views[0].partial = true }, 0, 100, 100, 0, "only some processes were seen"},
		"no taskstats":       {sees(schema.CapProcesses, schema.CapIO, schema.CapEventsConnector), 100, 100, 0, 0, "CPU and I/O of processes that lived between two samples are not known"},
		"no netlink":         {sees(schema.CapProcesses, schema.CapIO, schema.CapEventsPidfd), 100, 0, 0, 0, "nothing of what lives shorter"},
		"a scan":             {sees(schema.CapProcesses, schema.CapIO, schema.CapEventsScan), 100, 0, 0, 0, "not every start and end was seen"},
		"says nothing":       {sees(), 100, 0, 0, 0, "the sampler did not say what it sees"},
		"no ptrace": {func(e *evidence) {
			e.views[0].capabilities, e.views[0].ioSeen, e.views[0].ioOf = seesEverything[2:], 2, 13
		}, 100, 100, 100, 100. * 2 / 13, "only 2 of 13 processes' I/O was seen"},
		"not come": {func(e *evidence) { e.notCome = 7 }, 100, 100, 100, 100, "7 items of the sampler have not come"},
	} {
		e := wholeEvidence(1000, 1100)
		c.change(e)
		got := e.coverage()
		for i, percent := range []float64{c.snapshots, c.events, c.cpu, c.io} {
			if have := []float64{got.Snapshots, got.Events, got.CPU, got.IO}[i]; percent != unchanged && math.Abs(have-percent) > 1e-9 {
				t.Errorf("%s: %s %v %%, want %v", name, AllData[i], have, percent)
			}
		}
		line := Incomplete([]Coverage{got})
		if got.Complete != (c.line == "") || (line == "") != (c.line == "") || !strings.Contains(line, c.line) {
			t.Errorf("%s: complete %v, %q, want %q", name, got.Complete, line, c.line)
		}
	}
}

// A line is of the kinds of data that its answer is made of.
func TestIncomplete_OfData(t *testing.T) {
	e := wholeEvidence(1000, 1100)
	e.views[0].capabilities, e.views[0].ioSeen, e.views[0].ioOf = seesEverything[2:], 2, 13
	covers := []Coverage{e.coverage(), wholeEvidence(1000, 1100).coverage()}
	if line := Incomplete(covers, DataSnapshots, DataEvents); line != "" {
		t.Errorf("of snapshots and events: %q", line)
	}
	if line := Incomplete(covers, DataIO); line != "incomplete: on alpha only 2 of 13 processes' I/O was seen" {
		t.Errorf("of I/O: %q", line)
	}
}

// Shares are between 0 and 100, only gaps within the time count, and one more gap never raises a share nor makes a record complete.
func TestCoverage_Property(t *testing.T) {
	kinds := schema.GapKinds()
	rapid.Check(t, func(t *rapid.T) {
		at := func(label string) float64 { return float64(rapid.IntRange(900, 1200).Draw(t, label)) }
		e := wholeEvidence(1000, 1100)
		e.taken, e.heard = nil, nil
		for range rapid.IntRange(0, 4).Draw(t, "stretches") {
			a, b := at("from"), at("to")
			e.taken, e.heard = append(e.taken, stretch{a, b}), append(e.heard, stretch{min(a, b) - 1, b})
		}
		draw := func() Gap {
			g := Gap{Kind: kinds[rapid.IntRange(0, len(kinds)-1).Draw(t, "kind")].Kind, Timestamp: at("noticed"), Stream: schema.StreamEvents}
			if rapid.Bool().Draw(t, "dated") {
				a, b := at("begin"), at("end")
				a, b = min(a, b), max(a, b)
				g.From, g.To = &a, &b
			}
			return g
		}
		for range rapid.IntRange(0, 4).Draw(t, "gaps") {
			e.gaps = append(e.gaps, draw())
		}
		before := e.coverage()
		e.gaps = append(e.gaps, draw())
		after := e.coverage()
		for _, pair := range [][2]float64{{before.Percent, after.Percent}, {before.Snapshots, after.Snapshots}, {before.Events, after.Events},
			{before.CPU, after.CPU}, {before.IO, after.IO}} {
			if pair[0] < 0 || pair[0] > 100 || pair[1] > pair[0]+1e-9 || pair[1] < 0 {
				t.Fatalf("one more gap: from %v to %v %%", pair[0], pair[1])
			}
		}
		if after.Complete && !before.Complete {
			t.Fatalf("complete by one more gap: %+v, %+v", before, after)
		}
	})
}

// A gap outside the time takes nothing of it; of one that reaches in, that part counts.
func TestCoverage_Clipped(t *testing.T) {
	for _, c := range []struct{ from, to, want float64 }{{900, 1000, 100}, {1100, 1200, 100}, {900, 1010, 90}, {1090, 1200, 90}, {900, 1200, 0}, {1040, 1050, 90}} {
		e := wholeEvidence(1000, 1100)
		e.gaps = []Gap{{Kind: schema.GapEventsLost, From: &c.from, To: &c.to}}
		if got := e.percent(DataEvents); math.Abs(got-c.want) > 1e-9 {
			t.Errorf("a gap from %v to %v: %v %%, want %v", c.from, c.to, got, c.want)
		}
	}
}
