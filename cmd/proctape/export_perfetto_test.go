package main

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/query/export"
)

// fields are the fields of a message of protobuf, read without its schema: numbers and doubles as bits, all else as bytes.
type fields map[int][]any

func fieldsOf(t *testing.T, b []byte) fields {
	t.Helper()
	f := fields{}
	for len(b) > 0 {
		number, kind, n := protowire.ConsumeTag(b)
		if n < 0 {
			t.Fatalf("not protobuf: %v", protowire.ParseError(n))
		}
		b = b[n:]
		var v any
		switch kind {
		case protowire.VarintType:
			v, n = protowire.ConsumeVarint(b)
		case protowire.Fixed64Type:
			v, n = protowire.ConsumeFixed64(b)
		case protowire.BytesType:
			v, n = protowire.ConsumeBytes(b)
		default:
			t.Fatalf("field %d is of type %d", number, kind)
		}
		if n < 0 {
			t.Fatalf("field %d: %v", number, protowire.ParseError(n))
		}
		f[int(number)] = append(f[int(number)], v)
		b = b[n:]
	}
	return f
}

func (f fields) number(n int) uint64 {
	if len(f[n]) == 0 {
		return 0
	}
	return f[n][0].(uint64)
}

func (f fields) text(n int) string {
	if len(f[n]) == 0 {
		return ""
	}
	return string(f[n][0].([]byte))
}

// pftrack is a track of a trace: who it is below, what happened on it, and the values of its counter.
type pftrack struct {
	name   string
	parent uint64
	counts bool
	slices []pfslice
	open   []pfslice
	values []pfvalue
	marks  []pfslice
}

type pfslice struct {
	name      string
	from, end float64
	notes     map[string]any
}

type pfvalue struct{ at, value float64 }

// pftrace is a trace as Perfetto's trace processor reads it, by the numbers of perfetto_trace.proto. It says what is wrong.
type pftrace struct {
	tracks  map[uint64]*pftrack
	defects []string
}

func readTrace(t *testing.T, b []byte) *pftrace {
	t.Helper()
	trace := &pftrace{tracks: map[uint64]*pftrack{}}
	say := func(format string, args ...any) { trace.defects = append(trace.defects, fmt.Sprintf(format, args...)) }
	packets := fieldsOf(t, b)[1]
	type event struct {
		at float64
		f  fields
	}
	var events []event
	for i, p := range packets {
		f := fieldsOf(t, p.([]byte))
		if f.number(10) == 0 {
			say("packet %d has no sequence", i)
		}
		switch {
		case i == 0:
			if f.number(13)&1 == 0 || len(f[6]) != 1 {
				say("the first packet clears no state, or has no clocks")
			}
		case len(f[60]) == 1:
			d := fieldsOf(t, f[60][0].([]byte))
			if parent := d.number(5); parent != 0 && trace.tracks[parent] == nil {
				say("track %q is below one that was not described", d.text(2))
			}
			trace.tracks[d.number(1)] = &pftrack{name: d.text(2), parent: d.number(5), counts: len(d[8]) == 1}
		case len(f[11]) == 1:
			e := fieldsOf(t, f[11][0].([]byte))
			if trace.tracks[e.number(11)] == nil {
				say("packet %d is of a track that was not described", i)
				continue
			}
			events = append(events, event{float64(f.number(8)) / 1e9, e})
		default:
			say("packet %d holds nothing that is known", i)
		}
	}
	slices.SortStableFunc(events, func(a, b event) int {
		return cmp.Compare(a.at, b.at)
	})
	for _, e := range events {
		trace.take(t, e.at, e.f, say)
	}
	for _, track := range trace.tracks {
		if len(track.open) > 0 {
			say("on %q %q has no end", track.name, track.open[0].name)
		}
	}
	return trace
}

func (p *pftrace) take(t *testing.T, at float64, f fields, say func(string, ...any)) {
	t.Helper()
	track := p.tracks[f.number(11)]
	if track.counts != (f.number(9) == 4) {
		say("on %q there is an event of type %d", track.name, f.number(9))
	}
	s := pfslice{name: f.text(23), from: at, notes: map[string]any{}}
	for _, n := range f[4] {
		note := fieldsOf(t, n.([]byte))
		s.notes[note.text(10)] = map[bool]any{true: note.text(6), false: note.number(4)}[len(note[6]) > 0]
	}
	switch f.number(9) {
	case 1:
		track.open = append(track.open, s)
	case 2:
		if len(track.open) == 0 {
			say("on %q something ends that did not begin", track.name)
			return
		}
		last := track.open[len(track.open)-1]
		last.end = at
		for k, v := range s.notes {
			last.notes[k] = v
		}
		track.open, track.slices = track.open[:len(track.open)-1], append(track.slices, last)
	case 3:
		track.marks = append(track.marks, s)
	case 4:
		v := float64(int64(f.number(30)))
		if len(f[44]) > 0 {
			v = math.Float64frombits(f.number(44))
		}
		track.values = append(track.values, pfvalue{at, v})
	}
}

// path is where a track is: its name and those above it.
func (p *pftrace) path(id uint64) string {
	names := []string{}
	for ; id != 0; id = p.tracks[id].parent {
		names = append(names, p.tracks[id].name)
	}
	slices.Reverse(names)
	return strings.Join(names, "/")
}

// at is the track of a path; nil when there is none.
func (p *pftrace) at(path string) *pftrack {
	for id, track := range p.tracks {
		if p.path(id) == path {
			return track
		}
	}
	return nil
}

// value is what a counter says at a time: what it was told last.
func (t *pftrack) value(at float64) float64 {
	v := math.NaN()
	for _, told := range t.values {
		if told.at <= at+1e-5 {
			v = told.value
		}
	}
	return v
}

func perfettoOf(t *testing.T, db *query.DB, q export.Question) []byte {
	t.Helper()
	var out bytes.Buffer
	q.Causes = true
	if _, err := export.Write(t.Context(), db, q, export.Place{}, export.NewPerfetto(&out), func(export.Place, float64) error { return nil }); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestPerfetto_TellsTheRecording: a trace has the processes below those that bore them, what they used as the snapshots have it, runs, steps, deaths and gaps.
func TestPerfetto_TellsTheRecording(t *testing.T) {
	db, q := exported(t)
	raw := perfettoOf(t, db, q)
	trace := readTrace(t, raw)
	for _, d := range trace.defects {
		t.Error(d)
	}
	const linker = "build-07/processes/init [1]/sshd [800]/proctape [3900]/make [3950]/ld.lld [3951]"
	ld := trace.at(linker)
	if ld == nil || len(ld.slices) != 1 {
		t.Fatalf("no track, or not one slice, is at %s: %+v", linker, ld)
	}
	from := timestamp(fixedStart)
	if s := ld.slices[0]; math.Abs(s.from-from-23) > 1e-3 || math.Abs(s.end-from-51) > 1e-3 || s.notes["end"] != "SIGKILL, out of memory" || s.notes["job_id"] != "build-7" || s.notes["sheet_num"] != uint64(2) {
		t.Errorf("ld.lld is %+v", s)
	}
	if init := trace.at("build-07/processes/init [1]"); init == nil || init.slices[0].from != from {
		t.Errorf("init, which is older than the range, does not begin with it: %+v", init)
	}
	deaths := trace.at("build-07/deaths")
	if deaths == nil || len(deaths.marks) != 2 || !slices.ContainsFunc(deaths.marks, func(s pfslice) bool { return s.name == "ld.lld [3951]: SIGKILL, out of memory" }) ||
		!slices.ContainsFunc(deaths.marks, func(s pfslice) bool { return s.name == "make [3950]: exit 2" }) {
		t.Errorf("the deaths are %+v", deaths)
	}
	run := trace.at("build-07/job build-7/build-7 run 1")
	steps := []*pftrack{trace.at("build-07/job build-7/build-7 run 1/step 1"), trace.at("build-07/job build-7/build-7 run 1/step 2")}
	if run == nil || len(run.slices) != 1 || run.slices[0].end-run.slices[0].from != 50 || steps[0] == nil || steps[1] == nil || steps[1].slices[0].from-from != 22 {
		t.Errorf("the run is %+v, its steps are %+v", run, steps)
	}
	gaps := trace.at("web-01/gaps")
	if gaps == nil || len(gaps.slices) == 0 || gaps.slices[0].name != "missed_ticks" {
		t.Errorf("the gaps of web-01 are %+v", gaps)
	}
	checkCounters(t, db, q, trace)
}

// checkCounters checks that at each snapshot each counter has what the snapshot has.
func checkCounters(t *testing.T, db *query.DB, q export.Question, trace *pftrace) {
	t.Helper()
	byName := map[string]uint64{}
	for id, track := range trace.tracks {
		byName[track.name] = id
	}
	counters := map[uint64]map[string]*pftrack{}
	for _, track := range trace.tracks {
		if counters[track.parent] == nil {
			counters[track.parent] = map[string]*pftrack{}
		}
		counters[track.parent][track.name] = track
	}
	n := 0
	for s, err := range query.SnapshotSeq(t.Context(), db, q.Filter) {
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range s.Processes {
			program, _, _ := strings.Cut(p.Command[strings.LastIndex(strings.Fields(p.Command)[0], "/")+1:], " ")
			of := counters[byName[fmt.Sprintf("%s [%d]", strings.TrimSuffix(program, ":"), p.PID)]]
			if of == nil || of["CPU"].value(s.Timestamp) != p.CPUPercent || of["resident memory"].value(s.Timestamp) != p.RSS*(1<<20) {
				t.Errorf("%s at %.0f: the trace has other values than %v %% and %v MiB", p.Command, s.Timestamp, p.CPUPercent, p.RSS)
			}
			n++
		}
		if memory := counters[byName[s.Host]]["memory in use"]; memory.value(s.Timestamp) != s.MemUsed*(1<<20) {
			t.Errorf("%s at %.0f: the trace has another value than %v MiB", s.Host, s.Timestamp, s.MemUsed)
		}
	}
	if n < 50 {
		t.Errorf("only %d values were compared", n)
	}
	if ld := counters[byName["ld.lld [3951]"]]["resident memory"]; ld.value(q.Until) != 0 {
		t.Error("ld.lld has memory after its death")
	}
}

// TestPerfetto_TheReaderSees is the control of the reader: a trace without some of its packets has defects.
func TestPerfetto_TheReaderSees(t *testing.T) {
	db, q := exported(t)
	raw := perfettoOf(t, db, q)
	for _, drop := range []struct {
		what string
		of   func(packet fields) bool
	}{
		{"the clock", func(p fields) bool { return len(p[6]) > 0 }},
		{"descriptions", func(p fields) bool { return len(p[60]) > 0 && fieldsOf(t, p[60][0].([]byte)).text(2) == "processes" }},
		{"ends", func(p fields) bool { return len(p[11]) > 0 && fieldsOf(t, p[11][0].([]byte)).number(9) == 2 }},
		{"begins", func(p fields) bool { return len(p[11]) > 0 && fieldsOf(t, p[11][0].([]byte)).number(9) == 1 }},
	} {
		var kept []byte
		for _, packet := range fieldsOf(t, raw)[1] {
			if !drop.of(fieldsOf(t, packet.([]byte))) {
				kept = protowire.AppendBytes(protowire.AppendTag(kept, 1, protowire.BytesType), packet.([]byte))
			}
		}
		if len(readTrace(t, kept).defects) == 0 {
			t.Errorf("a trace without %s has no defects", drop.what)
		}
	}
	if again := perfettoOf(t, db, q); !bytes.Equal(raw, again) {
		t.Error("the same range gives another trace")
	}
}
