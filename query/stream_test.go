package query_test

import (
	"encoding/json"
	"errors"
	"iter"
	"math/rand/v2"
	"reflect"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/proctape/proctape/query"
)

// manyEvents inserts n events of which several share a time, and as many execs.
func manyEvents(r *recording, n int) {
	r.Helper()
	r.insert("hosts", row{"id": 2, "name": "beta"})
	kinds := []string{"spawn", "exit", "signal", "kill", "oom"}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range n {
		of := row{"pid": 1 + i%7, "host_id": 1 + i%2, "command": "cc -c f" + strconv.Itoa(i%11) + ".c", "uid": i % 3, "job_id": []any{nil, "a", "b"}[i%3], "sheet_num": i % 2}
		at := float64(10 + random.IntN(n/3))
		r.execution(int64(i+1), at, of)
		if kind := kinds[random.IntN(len(kinds))]; kind == "exit" && i%2 == 0 {
			of["exit_code"] = i % 4
			r.event(int64(i+1), at, kind, of)
		} else {
			if kind != "spawn" {
				of["signal_num"] = 9 + i%3
			}
			r.event(int64(i+1), at, kind, of)
		}
	}
}

// drawFilter makes any filter for the rows of manyEvents.
func drawFilter(t *rapid.T) query.Filter {
	pick := func(label string) bool { return rapid.IntRange(0, 3).Draw(t, label) == 0 }
	f := query.Filter{Range: query.Range{Newest: rapid.Bool().Draw(t, "newest"), Reverse: rapid.Bool().Draw(t, "reverse")}}
	if pick("since?") {
		f.Since = float64(rapid.IntRange(0, 120).Draw(t, "since"))
	}
	if pick("until?") {
		f.Until = float64(rapid.IntRange(1, 120).Draw(t, "until"))
	}
	if pick("limit?") {
		f.Limit = rapid.IntRange(1, 70).Draw(t, "limit")
	}
	f.Host = rapid.SampledFrom([]string{"", "", "alpha", "beta"}).Draw(t, "host")
	f.Job = rapid.SampledFrom([]string{"", "", "a", "nobody"}).Draw(t, "job")
	f.PID = rapid.SampledFrom([]int64{0, 0, 0, 3}).Draw(t, "pid")
	f.Command = rapid.SampledFrom([]string{"", "", "f1", "zz"}).Draw(t, "command")
	f.Types = rapid.SampledFrom([][]string{nil, nil, {"exit"}, {"kill", "oom"}}).Draw(t, "types")
	f.Failed = pick("failed")
	for _, at := range []**int64{&f.Step, &f.UID, &f.ExitCode, &f.Signal} {
		if rapid.IntRange(0, 7).Draw(t, "number?") == 0 {
			v := int64(rapid.IntRange(0, 10).Draw(t, "number"))
			*at = &v
		}
	}
	return f
}

// plainEvents are the ids of events that meet a filter, by SQL that has nothing in common with the library's.
func plainEvents(t *rapid.T, r *recording, f query.Filter) []int64 {
	where := ` WHERE e.timestamp >= ?`
	args := []any{f.Since}
	add := func(on bool, condition string, value ...any) {
		if on {
			where, args = where+` AND `+condition, append(args, value...)
		}
	}
	add(f.Until > 0, `e.timestamp < ?`, f.Until)
	add(f.Host != "", `h.name = ?`, f.Host)
	add(f.Job != "", `e.job_id = ?`, f.Job)
	add(f.PID != 0, `e.pid = ?`, f.PID)
	add(f.Command != "", `e.command LIKE ?`, "%"+f.Command+"%")
	add(len(f.Types) == 1, `e.event_type = 'exit'`)
	add(len(f.Types) == 2, `e.event_type IN ('oom', 'kill')`)
	add(f.Failed, `(e.event_type IN ('signal','kill','oom') OR coalesce(e.signal_num, 0) > 0 OR coalesce(e.exit_code, 0) > 0)`)
	for column, value := range map[string]*int64{"sheet_num": f.Step, "uid": f.UID, "exit_code": f.ExitCode, "signal_num": f.Signal} {
		if value != nil {
			add(true, `e.`+column+` = ?`, *value)
		}
	}
	all := plainIDs(t, r, `SELECT e.id FROM process_events e JOIN hosts h ON h.id = e.host_id`+where+` ORDER BY e.timestamp, e.id`, args...)
	if f.Reverse {
		slices.Reverse(all)
	}
	if f.Limit == 0 || len(all) <= f.Limit {
		return all
	}
	if f.Newest && !f.Reverse {
		return all[len(all)-f.Limit:]
	}
	return all[:f.Limit]
}

func plainIDs(t *rapid.T, r *recording, text string, args ...any) []int64 {
	rows, err := r.db.QueryContext(r.Context(), text, args...)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := []int64{}
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			t.Fatal(err)
		}
		out = append(out, id)
	}
	return out
}

// A stream has what plain SQL has, whatever is asked, and so has a list, and what is asked page by page.
func TestEventSeq_EqualsSQL(t *testing.T) {
	r := newRecording(t)
	manyEvents(r, 300)
	db := r.open()
	rapid.Check(t, func(t *rapid.T) {
		f := drawFilter(t)
		want := plainEvents(t, r, f)
		for name, read := range map[string]func() ([]query.Event, error){
			"stream": func() ([]query.Event, error) { return query.All(query.EventSeq(r.Context(), db, f)) },
			"list":   func() ([]query.Event, error) { return query.Events(r.Context(), db, f) },
			"pages": func() ([]query.Event, error) {
				of := f
				return byPages(f.Range, func(part query.Range) iter.Seq2[query.Event, error] {
					of.Range = part
					return query.EventSeq(r.Context(), db, of)
				})
			},
		} {
			if name == "pages" && f.Newest && !f.Reverse {
				continue // it has no cursor
			}
			events, err := read()
			if err != nil {
				t.Fatal(err)
			}
			if got := ids(events, func(e query.Event) int64 { return e.ID }); !slices.Equal(got, want) {
				t.Fatalf("%s of %+v: got %v, want %v", name, f, got, want)
			}
		}
	})
}

// byPages reads a listing in parts of seven, each by the cursor that the one before gave.
func byPages[T interface{ Cursor() query.Cursor }](r query.Range, items func(query.Range) iter.Seq2[T, error]) ([]T, error) {
	var all []T
	limit := r.Limit
	r.Limit = 0
	for {
		page, err := query.PageOf(items(r), 7)
		all = append(all, page.Items...)
		if limit > 0 && len(all) >= limit {
			return all[:limit], err
		}
		if err != nil || page.Next == "" {
			return all, err
		}
		r.After = page.Next
	}
}

// TestHistorySeq_EqualsHistory walks a history of samples and minutes in both directions.
func TestHistorySeq_EqualsHistory(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	r := newRecording(t)
	r.process(1, 42, 1, row{"command": "sh", "last_snapshot": 150})
	r.process(2, 42, 151, row{"command": "cc"})
	for i := int64(1); i <= 300; i++ {
		r.snapshot(i, 6000+float64(i), nil)
		r.sample(i, 1+i/151, nil)
	}
	for id := range int64(2) { // in each minute the pid is of two processes
		r.insert("rollup_processes", row{"id": 8 + id, "host_id": 1, "boot_id": "boot-1", "pid": 42, "start_ticks": 5000, "command": "sh"})
	}
	for i := int64(1); i <= 100; i++ {
		r.insert("rollups", row{"id": i, "host_id": 1, "timestamp": 60 * float64(i), "boot_id": "boot-1", "samples": 12, "covers": "[]"})
		r.insert("process_rollups", row{"process_id": 9, "rollup_id": i, "samples": 12})
		r.insert("process_rollups", row{"process_id": 8, "rollup_id": i, "samples": 12})
	}
	db := r.open()
	all, err := query.History(t.Context(), db, 42, query.Range{})
	if err != nil || len(all) != 300+2*99 { // the last minutes have their snapshots
		t.Fatalf("got %d points, %v; want 498", len(all), err)
	}
	for name, span := range map[string]query.Range{"up": {}, "down": {Reverse: true}, "some": {Since: 3000, Until: 6100}, "newest": {Newest: true, Limit: 330}} {
		want, err := query.History(t.Context(), db, 42, span)
		if err != nil {
			t.Fatal(err)
		}
		got, err := query.All(query.HistorySeq(t.Context(), db, query.Identity{PID: 42}, span))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %d points, %v; want %d", name, len(got), err, len(want))
		}
		if name == "newest" {
			continue
		}
		got, err = byPages(span, func(r query.Range) iter.Seq2[query.HistoryPoint, error] {
			return query.HistorySeq(t.Context(), db, query.Identity{PID: 42, StartTicks: pointer[int64](5000), BootID: "boot-1", Host: "alpha"}, r)
		})
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s by pages: got %d points, %v; want %d", name, len(got), err, len(want))
		}
	}
	none, err := query.HistoryOf(t.Context(), db, query.Identity{PID: 42, StartTicks: pointer[int64](1)}, query.Range{})
	if err != nil || len(none) != 0 {
		t.Errorf("another process of the pid: got %d points, %v", len(none), err)
	}
}

// TestSnapshotSeq_EqualsSnapshots walks snapshots and minutes.
func TestSnapshotSeq_EqualsSnapshots(t *testing.T) {
	r := newRecording(t)
	r.process(1, 42, 1, row{"command": "sh", "uid": 5, "cgroup": "/a/b"})
	r.process(2, 43, 1, row{"command": "cc", "job_id": "j", "sheet_num": 2})
	for i := int64(1); i <= 80; i++ {
		r.snapshot(i, 6000+float64(i), nil)
		r.sample(i, 1, nil)
		if i%10 == 0 {
			r.sample(i, 2, row{"state": "D"})
		}
	}
	for i := int64(1); i <= 40; i++ {
		r.insert("rollups", row{"id": i, "host_id": 1, "timestamp": 60 * float64(i), "boot_id": "boot-1", "samples": 12, "covers": "[]"})
	}
	db := r.open()
	for name, span := range map[string]query.Range{"up": {}, "down": {Reverse: true}, "some": {Since: 600, Until: 6020}, "a few": {Newest: true, Limit: 3}, "first": {Limit: 50}} {
		want, err := query.Snapshots(t.Context(), db, span)
		if err != nil || len(want) == 0 {
			t.Fatal(err, len(want))
		}
		got, err := query.All(query.SnapshotSeq(t.Context(), db, query.Filter{Range: span}))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %d, %v; want %d", name, len(got), err, len(want))
		}
	}
	for name, c := range map[string]struct {
		f    query.Filter
		want []float64
	}{
		"a job's first":   {query.Filter{Range: query.Range{Limit: 2}, Job: "j"}, []float64{6010, 6020}},
		"a step's newest": {query.Filter{Range: query.Range{Limit: 2, Newest: true}, Step: pointer[int64](2)}, []float64{6070, 6080}},
		"a state's":       {query.Filter{Range: query.Range{Limit: 2, Reverse: true}, States: []string{"D"}}, []float64{6080, 6070}},
		"a user's":        {query.Filter{Range: query.Range{Limit: 1}, UID: pointer[int64](5)}, []float64{6001}},
		"a group's":       {query.Filter{Range: query.Range{Limit: 1}, Cgroup: "/a"}, []float64{6001}},
		"no group's":      {query.Filter{Cgroup: "/a/bc"}, []float64{}},
		"a command's":     {query.Filter{Range: query.Range{Limit: 1}, Command: "c"}, []float64{6010}},
		"a pid's":         {query.Filter{Range: query.Range{Limit: 1}, PID: 43}, []float64{6010}},
	} {
		got, err := query.All(query.SnapshotSeq(t.Context(), db, c.f))
		if times := ids(got, func(s query.Snapshot) float64 { return s.Timestamp }); err != nil || !slices.Equal(times, c.want) {
			t.Errorf("%s: got %v, %v; want %v", name, times, err, c.want)
		}
		for _, s := range got {
			if len(s.Processes) != 1 {
				t.Errorf("%s: %d processes, want 1", name, len(s.Processes))
			}
		}
	}
}

// A stream that is read slowly holds no transaction: the writer can reset its log meanwhile. The control holds one.
func TestEventSeq_HoldsNoTransaction(t *testing.T) {
	r := newRecording(t)
	manyEvents(r, 300)
	db := r.open()
	busy := func() int {
		var busy, frames, moved int
		r.insert("hosts", row{"id": rand.Int64(), "name": strconv.Itoa(rand.Int())})
		if err := r.db.QueryRowContext(t.Context(), `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &frames, &moved); err != nil {
			t.Fatal(err)
		}
		return busy
	}
	r.exec(`PRAGMA busy_timeout = 50`)
	n := 0
	for _, err := range query.EventSeq(t.Context(), db, query.Filter{}) {
		if err != nil {
			t.Fatal(err)
		}
		if n++; n%40 == 0 && busy() != 0 {
			t.Fatalf("after %d events a transaction is open", n)
		}
	}
	rows, err := db.Handle().QueryContext(t.Context(), `SELECT id FROM process_events`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	if rows.Next(); busy() == 0 {
		t.Error("the control: an open statement was not noticed")
	}
}

// No page is larger than the largest, however long the listing: what is asked has a LIMIT, but for what few rows can answer.
func TestSeq_ReadsPages(t *testing.T) {
	r := newRecording(t)
	eventfulJob(r)
	wholeRows(r)
	var log []asked
	db := r.watch(func(a asked) { log = append(log, a) })
	for name, f := range map[string]query.Filter{"all": {}, "a type": {Types: []string{"oom"}}, "a job": {Job: "build-7"}, "down": {Range: query.Range{Reverse: true}},
		"the newest": {Range: query.Range{Newest: true, Limit: 5000}}} {
		log = nil
		if _, err := query.All(query.EventSeq(t.Context(), db, f)); err != nil {
			t.Fatal(err)
		}
		if _, err := query.All(query.ExecSeq(t.Context(), db, f)); err != nil {
			t.Fatal(err)
		}
		if len(log) < 2 {
			t.Errorf("%s: only %d statements", name, len(log))
		}
		for _, a := range log {
			if limit, ok := a.args[len(a.args)-1].(int64); !ok || limit > 50_000 {
				t.Errorf("%s: no limit: %s %v", name, a.text, a.args)
			}
			wantSearch(t, r, a)
		}
	}
}

func TestCursor_Refused(t *testing.T) {
	r := newRecording(t)
	for _, text := range []string{"x", "AAAA", "%%%", "f_gAAAAAAAAAAAAAAAAAAAA", "AAAAAAAAAAACAAAAAAAAAAA"} {
		if err := query.CheckCursor(text); !errors.Is(err, query.ErrCursor) {
			t.Errorf("%q: got %v, want %v", text, err, query.ErrCursor)
		}
		_, err := query.All(query.EventSeq(t.Context(), r.open(), query.Filter{Range: query.Range{After: query.Cursor(text)}}))
		if !errors.Is(err, query.ErrCursor) {
			t.Errorf("%q as a place: got %v, want %v", text, err, query.ErrCursor)
		}
	}
	good := query.Event{Timestamp: 1.5, ID: 1 << 60}.Cursor()
	if err := errors.Join(query.CheckCursor(string(good)), query.CheckCursor("")); err != nil {
		t.Error(err)
	}
}

// The two events of a death are one line, with its cause; what is no pair stays as it is.
func TestWithCauses(t *testing.T) {
	r := newRecording(t)
	killed := row{"signal_num": 9, "pid": 7}
	r.event(1, 10, "exit", killed)
	r.event(2, 10, "exit", row{"exit_code": 0, "pid": 8})
	r.event(3, 10, "oom", row{"signal_num": 9, "pid": 7, "details": "limit of /a"})
	r.event(4, 11, "kill", killed)
	r.event(5, 12, "signal", row{"signal_num": 15, "pid": 9})
	r.event(6, 12, "exit", row{"signal_num": 15, "pid": 9})
	r.event(7, 12, "signal", row{"signal_num": 15, "pid": 9, "start_ticks": 6})
	events, err := query.All(query.WithCauses(query.EventSeq(t.Context(), r.open(), query.Filter{})))
	if err != nil {
		t.Fatal(err)
	}
	got := ids(events, func(e query.Event) string {
		return strconv.FormatInt(e.ID, 10) + e.Type + " " + e.Cause + " " + e.Details
	})
	want := []string{"1exit oom limit of /a", "2exit  ", "4kill  ", "6exit signal ", "7signal  "}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	failed := errors.New("lost")
	seq := func(yield func(query.Event, error) bool) {
		_ = yield(query.Event{ID: 1}, nil) && yield(query.Event{}, failed)
	}
	if _, err := query.All(query.WithCauses(seq)); !errors.Is(err, failed) {
		t.Errorf("got %v, want %v", err, failed)
	}
}

// What is recorded of a process is shown.
func TestSnapshots_ShowWhoAndWhere(t *testing.T) {
	r := newRecording(t)
	r.snapshot(1, 10, row{"pressure": `{"cpu_some":1.5,"memory_some":0.25,"memory_full":0,"io_some":2,"io_full":1}`})
	r.process(1, 42, 1, row{"uid": 1000, "cgroup": "/user.slice"})
	r.sample(1, 1, nil)
	r.event(1, 10, "exit", row{"uid": 5, "core": 1, "read_kib": 2048, "write_kib": 1024})
	db := r.open()
	snaps, err := query.Snapshots(t.Context(), db, query.Range{})
	if err != nil {
		t.Fatal(err)
	}
	p := snaps[0].Processes[0]
	if *p.UID != 1000 || *p.Cgroup != "/user.slice" || jsonOf(t, snaps[0].Pressure) != `{"cpu_some":1.5,"memory_some":0.25,"memory_full":0,"io_some":2,"io_full":1}` {
		t.Errorf("got %+v, %+v", p, snaps[0].Pressure)
	}
	events, err := query.Events(t.Context(), db, query.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	if e := events[0]; *e.UID != 5 || !e.Core || *e.Read != 2 || *e.Write != 1 {
		t.Errorf("got %+v", e)
	}
}

// jsonOf is a value as clients get it.
func jsonOf(t *testing.T, value any) string {
	t.Helper()
	data, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
