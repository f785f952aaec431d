package query_test

import (
	"reflect"
	"slices"
	"testing"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

func TestExecs_Filter(t *testing.T) {
	r := newRecording(t)
	r.insert("hosts", row{"id": 2, "name": "beta"})
	r.event(9, 25, "spawn", row{"job_id": "a", "pid": 1}) // no exec
	// By time: 1, 5 (it came late), 2 and 3 at one moment, 4.
	for _, e := range []struct {
		id  int64
		at  float64
		row row
	}{
		{1, 10, row{"job_id": "a", "pid": 1}},
		{2, 30, row{"job_id": "a", "pid": 2}},
		{3, 30, row{"job_id": "ab", "pid": 1, "host_id": 2}},
		{4, 40, row{"pid": 2, "host_id": 2}},
		{5, 15, row{"job_id": "a", "pid": 1}},
	} {
		r.execution(e.id, e.at, e.row)
	}
	db := r.open()
	for _, c := range []struct {
		name string
		f    query.Filter
		want []int64
	}{
		{"everything", query.Filter{}, []int64{1, 5, 2, 3, 4}},
		{"since is inclusive", query.Filter{Range: query.Range{Since: 30}}, []int64{2, 3, 4}},
		{"until is exclusive", query.Filter{Range: query.Range{Until: 30}}, []int64{1, 5}},
		{"a limit keeps the first", query.Filter{Range: query.Range{Limit: 2}}, []int64{1, 5}},
		{"the newest, still ascending", query.Filter{Range: query.Range{Limit: 2, Newest: true}}, []int64{3, 4}},
		{"of a host", query.Filter{Range: query.Range{Host: "beta"}}, []int64{3, 4}},
		{"of nobody", query.Filter{Range: query.Range{Host: "gamma"}}, []int64{}},
		{"of a job, and no other whose name it begins", query.Filter{Job: "a"}, []int64{1, 5, 2}},
		{"of a pid", query.Filter{PID: 1}, []int64{1, 5, 3}},
		{"all at once", query.Filter{Range: query.Range{Since: 12, Until: 40, Host: "alpha", Limit: 1, Newest: true}, Job: "a", PID: 1}, []int64{5}},
		{"a job that looks like SQL", query.Filter{Job: "' OR 1=1 --"}, []int64{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			execs, err := query.Execs(t.Context(), db, c.f)
			if err != nil {
				t.Fatal(err)
			}
			if execs == nil {
				t.Error("got nil, want an empty list")
			}
			if got := ids(execs, func(e query.Exec) int64 { return e.ID }); !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

// What a message says is what the database says, and what is not known is nil in both.
func TestExecsFromMessage_AreWhatTheDatabaseSays(t *testing.T) {
	m := &schema.Message{
		Envelope: schema.Envelope{Version: schema.Version, Kind: schema.KindExec, Host: "alpha", BootID: "boot-1", Instance: schema.Instance{1}, Seq: 1, Wall: messageWall, Boot: messageBoot},
		Execs: []schema.Exec{
			{Wall: messageWall, PID: 42, StartTicks: 77, UID: schema.Some[int64](0), Command: "cc -c x.c", JobID: "build-7", Sheet: schema.Some[int64](0), Source: "connector"},
			{Wall: messageWall + 1, PID: 43, Source: "connector"},
		},
	}
	r := newRecording(t)
	r.execution(1, float64(messageWall)/1e9, row{"start_ticks": 77, "uid": 0, "command": "cc -c x.c", "job_id": "build-7", "sheet_num": 0})
	r.execution(2, float64(messageWall+1)/1e9, row{"pid": 43, "start_ticks": 0})
	stored, err := query.Execs(t.Context(), r.open(), query.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range stored {
		stored[i].ID = 0
	}
	want := []query.Exec{
		{Timestamp: float64(messageWall) / 1e9, Host: "alpha", PID: 42, Type: "exec", JobID: pointer("build-7"), Sheet: pointer[int64](0), UID: pointer[int64](0),
			Command: pointer("cc -c x.c"), StartTicks: 77, Source: "connector"},
		{Timestamp: float64(messageWall+1) / 1e9, Host: "alpha", PID: 43, Type: "exec", Source: "connector"},
	}
	if !reflect.DeepEqual(stored, want) {
		t.Errorf("the database says\n%+v, want\n%+v", stored, want)
	}
	if got := query.ExecsFromMessage(m); !reflect.DeepEqual(got, want) {
		t.Errorf("the message says\n%+v, want\n%+v", got, want)
	}
	if none := query.ExecsFromMessage(&schema.Message{Envelope: schema.Envelope{Kind: schema.KindSpawn}, Events: []schema.Event{{}}}); len(none) != 0 {
		t.Errorf("got %v from a message without execs", none)
	}
	if none := query.EventsFromMessage(m); len(none) != 0 {
		t.Errorf("got the events %v from a message of execs", none)
	}
}
