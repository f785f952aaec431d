package query_test

import (
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/proctape/proctape/query"
)

// describe says of a moment which process it is of, and when.
func describe(m query.HistoryPoint) string {
	return fmt.Sprintf("%g %s %s %d %s", m.Timestamp, m.Host, m.BootID, m.StartTicks, m.Command)
}

func TestDB_History(t *testing.T) {
	r := newRecording(t)
	r.insert("hosts", row{"id": 2, "name": "beta"})
	// Pid 42 is a shell, then (with another command, as after an exec) a compiler, then another process, and on beta and
	// after a reboot of alpha two more.
	r.process(5, 42, 1, row{"command": "sh", "last_snapshot": 2})
	r.process(4, 42, 3, row{"command": "cc", "last_snapshot": 3})
	r.process(3, 42, 5, row{"command": "make", "start_ticks": 900, "last_snapshot": 6})
	r.process(2, 42, 1, row{"command": "sshd", "host_id": 2, "boot_id": "boot-b"})
	r.process(1, 42, 8, row{"command": "init", "boot_id": "boot-2"})
	r.process(6, 43, 1, row{"command": "other"})
	for _, s := range []struct {
		id   int64
		at   float64
		host int64
		of   []int64 // rows of processes
	}{
		{1, 10, 1, []int64{5, 6}},
		{2, 20, 1, []int64{5, 6}},
		{3, 30, 1, []int64{4, 6}},
		{4, 30, 2, []int64{2}},
		{5, 40, 1, []int64{3, 6}},
		{6, 50, 1, []int64{3, 6}},
		{7, 60, 1, []int64{6}},
		{8, 70, 1, []int64{1}},
		{9, 15, 2, []int64{2}}, // it came late
	} {
		r.snapshot(s.id, s.at, row{"host_id": s.host})
		for _, p := range s.of {
			r.sample(s.id, p, nil)
		}
	}
	all := []string{
		"10 alpha boot-1 5000 sh", "15 beta boot-b 5000 sshd", "20 alpha boot-1 5000 sh", "30 alpha boot-1 5000 cc", "30 beta boot-b 5000 sshd",
		"40 alpha boot-1 900 make", "50 alpha boot-1 900 make", "70 alpha boot-2 5000 init",
	}
	db := r.open()
	for _, c := range []struct {
		name string
		pid  int64
		r    query.Range
		want []string
	}{
		{"everything", 42, query.Range{}, all},
		{"since is inclusive", 42, query.Range{Since: 30}, all[3:]},
		{"since a late one", 42, query.Range{Since: 15}, all[1:]},
		{"until is exclusive", 42, query.Range{Until: 30}, all[:3]},
		{"between", 42, query.Range{Since: 20, Until: 50}, all[2:6]},
		{"a limit keeps the first", 42, query.Range{Limit: 3}, all[:3]},
		{"a limit through equal times", 42, query.Range{Limit: 4}, all[:4]},
		{"the newest, still ascending", 42, query.Range{Limit: 3, Newest: true}, all[5:]},
		{"the newest before a time", 42, query.Range{Until: 40, Limit: 2, Newest: true}, all[3:5]},
		{"the first since a time", 42, query.Range{Since: 20, Limit: 2}, all[2:4]},
		{"a limit beyond all", 42, query.Range{Limit: 100}, all},
		{"of a host", 42, query.Range{Host: "beta"}, []string{all[1], all[4]}},
		{"the newest of a host", 42, query.Range{Host: "alpha", Limit: 2, Newest: true}, all[6:]},
		{"of nobody", 42, query.Range{Host: "gamma"}, []string{}},
		{"after everything", 42, query.Range{Since: 71}, []string{}},
		{"before everything", 42, query.Range{Until: 10}, []string{}},
		{"of a pid that nobody had", 44, query.Range{}, []string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			points, err := query.History(t.Context(), db, c.pid, c.r)
			if err != nil {
				t.Fatal(err)
			}
			if points == nil {
				t.Error("got nil, want an empty list")
			}
			if got := ids(points, describe); !slices.Equal(got, c.want) {
				t.Errorf("got\n%q, want\n%q", got, c.want)
			}
		})
	}
}

func TestDB_History_Values(t *testing.T) {
	r := newRecording(t)
	r.process(1, 42, 1, row{"job_id": "build-7", "sheet_num": 3})
	r.snapshot(1, 10.5, nil)
	r.sample(1, 1, nil)
	points, err := query.History(t.Context(), r.open(), 42, query.Range{})
	if err != nil || len(points) != 1 {
		t.Fatalf("got %v, %v, want one moment", points, err)
	}
	want := query.HistoryPoint{Timestamp: 10.5, Host: "alpha", BootID: "boot-1", Process: wholeProcess()}
	if got := points[0].Public(); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v, want\n%+v", got, want)
	}
}

// However a page of a long history is read, it is the same part of the whole.
func TestDB_History_Pages(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	r := newRecording(t)
	r.insert("hosts", row{"id": 2, "name": "beta"})
	r.process(1, 42, 1, nil)
	r.process(2, 42, 1, row{"host_id": 2})
	r.process(3, 42, 100, row{"command": "short", "start_ticks": 1, "last_snapshot": 103})
	// Times rise with ids, but for every seventh, and are equal in fours.
	for id := int64(1); id <= 300; id++ {
		at := id / 4
		if id%7 == 0 {
			at -= 10
		}
		r.snapshot(id, 100+float64(at), row{"host_id": 1 + id%2})
		process := 1 + id%2
		if process == 1 && id >= 100 && id <= 103 {
			process = 3
		}
		r.sample(id, process, nil)
	}
	db := r.open()
	say := func(m query.HistoryPoint) string { return fmt.Sprint(m.Timestamp, m.Host, m.StartTicks) }
	for _, span := range []query.Range{{}, {Since: 120}, {Until: 160}, {Since: 149, Until: 152}, {Host: "beta"}, {Host: "alpha", Since: 140, Until: 240}} {
		whole, err := query.History(t.Context(), db, 42, span)
		if err != nil {
			t.Fatal(err)
		}
		if len(whole) < 3 || !slices.IsSortedFunc(whole, func(a, b query.HistoryPoint) int { return int(2 * (a.Timestamp - b.Timestamp)) }) {
			t.Fatalf("%+v: got %d points, want some in the order of time", span, len(whole))
		}
		for _, limit := range []int{1, 2, 3, 5, 29, 30, 31, 150, 1000} {
			n := min(limit, len(whole))
			for _, newest := range []bool{false, true} {
				page := span
				page.Limit, page.Newest = limit, newest
				got, err := query.History(t.Context(), db, 42, page)
				if err != nil {
					t.Fatal(err)
				}
				want := whole[:n]
				if newest {
					want = whole[len(whole)-n:]
				}
				if !slices.Equal(ids(got, say), ids(want, say)) {
					t.Errorf("%+v: got %d points, which are not that part of the %d", page, len(got), len(whole))
				}
			}
		}
	}
}
