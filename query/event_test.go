package query_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/proctape/proctape/query"
)

func TestDB_Events_Filter(t *testing.T) {
	r := newRecording(t)
	r.insert("hosts", row{"id": 2, "name": "beta"})
	// By time: 1, 8 (it came late), 2, 3 and 4 at one moment, 5, 6, 7.
	for _, e := range []struct {
		id   int64
		at   float64
		kind string
		row  row
	}{
		{1, 10, "spawn", row{"job_id": "a", "pid": 1}},
		{2, 20, "spawn", row{"job_id": "a", "pid": 2}},
		{3, 30, "exit", row{"job_id": "a", "pid": 1}},
		{4, 30, "signal", row{"job_id": "b", "pid": 2, "host_id": 2}},
		{5, 40, "kill", row{"job_id": "a", "pid": 2, "host_id": 2}},
		{6, 50, "oom", row{"pid": 3}},
		{7, 60, "exit", row{"job_id": "ab", "pid": 3}},
		{8, 15, "signal", row{"job_id": "a", "pid": 1}},
	} {
		r.event(e.id, e.at, e.kind, e.row)
	}
	db := r.open()
	for _, c := range []struct {
		name string
		f    query.Filter
		want []int64
	}{
		{"everything", query.Filter{}, []int64{1, 8, 2, 3, 4, 5, 6, 7}},
		{"since is inclusive", query.Filter{Range: query.Range{Since: 30}}, []int64{3, 4, 5, 6, 7}},
		{"until is exclusive", query.Filter{Range: query.Range{Until: 30}}, []int64{1, 8, 2}},
		{"a limit keeps the first", query.Filter{Range: query.Range{Limit: 2}}, []int64{1, 8}},
		{"a limit through equal times", query.Filter{Range: query.Range{Since: 30, Limit: 1}}, []int64{3}},
		{"the newest, still ascending", query.Filter{Range: query.Range{Limit: 4, Newest: true}}, []int64{4, 5, 6, 7}},
		{"the newest before a time", query.Filter{Range: query.Range{Until: 40, Limit: 2, Newest: true}}, []int64{3, 4}},
		{"of a host", query.Filter{Range: query.Range{Host: "beta"}}, []int64{4, 5}},
		{"of nobody", query.Filter{Range: query.Range{Host: "gamma"}}, []int64{}},
		{"of a type", query.Filter{Types: []string{"exit"}}, []int64{3, 7}},
		{"of two types", query.Filter{Types: []string{"signal", "kill"}}, []int64{8, 4, 5}},
		{"of no such type", query.Filter{Types: []string{"nap"}}, []int64{}},
		{"of a job, and no other whose name it begins", query.Filter{Job: "a"}, []int64{1, 8, 2, 3, 5}},
		{"of a pid", query.Filter{PID: 2}, []int64{2, 4, 5}},
		{"all at once", query.Filter{Range: query.Range{Since: 12, Until: 40, Host: "alpha", Limit: 1, Newest: true}, Types: []string{"spawn", "signal"}, Job: "a", PID: 1}, []int64{8}},
		{"a type that looks like SQL", query.Filter{Types: []string{"') OR 1=1 --"}}, []int64{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			events, err := query.Events(t.Context(), db, c.f)
			if err != nil {
				t.Fatal(err)
			}
			if events == nil {
				t.Error("got nil, want an empty list")
			}
			if got := ids(events, func(e query.Event) int64 { return e.ID }); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestDB_Events_Values(t *testing.T) {
	whole := row{
		"pid": 42, "exit_code": 3, "signal_num": 9, "job_id": "build-7", "sheet_num": 2, "details": "killed", "start_ticks": 77, "ppid": 5,
		"command": "cc -c x.c", "cpu_ms": 1250, "peak_rss_kib": 306688, "lifetime_ms": 2500, "source": "taskstats",
	}
	r := newRecording(t)
	db, id := r.open(), int64(0)
	for _, c := range []struct {
		column string // is NULL
		change func(*query.Event)
	}{
		{"", func(*query.Event) {}},
		{"exit_code", func(e *query.Event) { e.ExitCode = nil }},
		{"signal_num", func(e *query.Event) { e.Signal = nil }},
		{"job_id", func(e *query.Event) { e.JobID = nil }},
		{"sheet_num", func(e *query.Event) { e.Sheet = nil }},
		{"details", func(e *query.Event) { e.Details = "" }},
		{"ppid", func(e *query.Event) { e.PPID = nil }},
		{"command", func(e *query.Event) { e.Command = "" }},
		{"cpu_ms", func(e *query.Event) { e.CPUSeconds = nil }},
		{"peak_rss_kib", func(e *query.Event) { e.PeakRSS = nil }},
		{"lifetime_ms", func(e *query.Event) { e.Lifetime = nil }},
	} {
		t.Run("without "+c.column, func(t *testing.T) {
			id++
			changes := whole
			if c.column != "" {
				changes = whole.with(row{c.column: nil})
			}
			r.event(id, 0.5+float64(id), "exit", changes)
			events, err := query.Events(t.Context(), db, query.Filter{Range: query.Range{Since: float64(id)}})
			if err != nil {
				t.Fatal(err)
			}
			want := query.Event{
				ID: id, Timestamp: 0.5 + float64(id), Host: "alpha", PID: 42, Type: "exit", ExitCode: pointer[int64](3), Signal: pointer[int64](9),
				JobID: pointer("build-7"), Sheet: pointer[int64](2), Details: "killed", PPID: pointer[int64](5), Command: "cc -c x.c",
				StartTicks: 77, CPUSeconds: pointer(1.25), PeakRSS: pointer(299.5), Lifetime: pointer(2.5), Source: "taskstats",
			}
			c.change(&want)
			if len(events) != 1 || !reflect.DeepEqual(events[0], want) {
				t.Errorf("got\n%+v, want\n%+v", events, want)
			}
		})
	}
}
