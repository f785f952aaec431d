package query_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// lived is a machine on which 200 processes of a step live one after another and beside one another, for 5 ms up to a minute; the last one goes on, and
// one is there from before. The starts and the ends of a second come together.
func lived() *machine {
	m := newMachine("build-07")
	lengths := []time.Duration{5 * time.Millisecond, 80 * time.Millisecond, 700 * time.Millisecond, 9 * time.Second, time.Minute}
	for s := range 165 {
		events := map[schema.Kind][]schema.Event{}
		for i := range 200 {
			from := time.Duration(i) * 500 * time.Millisecond
			length := lengths[i%len(lengths)]
			for kind, at := range map[schema.Kind]time.Duration{schema.KindSpawn: from, schema.KindExit: from + length} {
				if int(at/time.Second) != s || kind == schema.KindExit && i == 199 {
					continue
				}
				e := schema.Event{Wall: start.Add(at).UnixNano(), Boot: int64(bootedFor + at), PID: 1000 + i, StartTicks: uint64((bootedFor + from) / (10 * time.Millisecond)),
					Command: fmt.Sprintf("cc %d.c", i), JobID: "build-7", Sheet: schema.Some[int64](1), Source: "bpf"}
				if kind == schema.KindExit {
					e.Lifetime, e.CPUMillis = schema.Some(length.Milliseconds()), schema.Some(length.Milliseconds()/2)
				}
				events[kind] = append(events[kind], e)
			}
		}
		if s%5 == 0 {
			m.snapshot(time.Duration(s)*time.Second, compiler(900, 200<<10, time.Duration(s)*time.Second))
		}
		for _, kind := range []schema.Kind{schema.KindSpawn, schema.KindExit} {
			if len(events[kind]) > 0 {
				m.publish(kind, time.Duration(s+1)*time.Second, schema.Message{Events: events[kind]})
			}
		}
	}
	return m
}

// lanesOf are the lanes of a time after the start, for a picture of 1000 pixels, and what is wrong with them when they are held against the events.
func lanesOf(t *testing.T, db *query.DB, plain *sql.DB, from, to time.Duration) (l *query.Lanes, defects []string) {
	t.Helper()
	r := query.Range{Since: schema.Timestamp(start.Add(from).UnixNano()), Until: schema.Timestamp(start.Add(to).UnixNano())}
	l, err := query.ReadLanes(t.Context(), db, query.Filter{Range: r}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	shortest := 1 << 20
	for _, b := range l.Bars {
		shortest = min(shortest, b.Class)
	}
	least := int64(1) << (2 * shortest) // ms
	var bars, short int64
	var seconds float64
	if err := plain.QueryRow(`SELECT count(*) FILTER (WHERE lifetime_ms >= ?1), count(*) FILTER (WHERE lifetime_ms < ?1), coalesce(sum(lifetime_ms) FILTER (WHERE lifetime_ms < ?1), 0) / 1000.0 FROM process_events
		WHERE event_type = 'exit' AND timestamp >= ?2 AND round(timestamp * 1000) - lifetime_ms < ?3 * 1000`, least, r.Since, r.Until).Scan(&bars, &short, &seconds); err != nil {
		t.Fatal(err)
	}
	ended, inCells, lived := int64(0), int64(0), 0.0
	for _, b := range l.Bars {
		if b.End != nil {
			ended++
			if length := (*b.End - b.Start) * 1000; length < float64(least)-1 || *b.End < r.Since || b.Start > r.Until {
				defects = append(defects, fmt.Sprintf("a bar of %.0f ms from %.3f on", length, b.Start))
			}
		}
	}
	for _, c := range l.Cells {
		inCells, lived = inCells+c.Lives, lived+*c.Seconds
	}
	if ended != bars || inCells != short || lived < seconds-0.01 || lived > seconds+0.01 {
		defects = append(defects, fmt.Sprintf("%d bars that have ended and %d lives in cells, which lived %.2f s; the events have %d, %d and %.2f s", ended, inCells, lived, bars, short, seconds))
	}
	return l, defects
}

// Bars and cells are what the events of the range make, at any zoom; a life's row is the same in all of them.
func TestReadLanes(t *testing.T) {
	path, remove := lived().record()
	defer remove()
	db, err := query.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	plain, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	rows := map[int64]int{}
	for _, r := range [][2]time.Duration{{0, 170 * time.Second}, {10 * time.Second, 20 * time.Second}, {40 * time.Second, 41 * time.Second}, {90 * time.Second, 150 * time.Second}, {0, time.Hour}} {
		l, defects := lanesOf(t, db, plain, r[0], r[1])
		for _, d := range defects {
			t.Errorf("%v: %s", r, d)
		}
		if l.Total != l.Shown || l.Coverage == nil {
			t.Errorf("%v: %d of %d bars, coverage %v", r, l.Shown, l.Total, l.Coverage)
		}
		for _, b := range l.Bars {
			if row, ok := rows[b.PID]; ok && row != b.Row {
				t.Errorf("%v: process %d is in row %d, and was in %d", r, b.PID, b.Row, row)
			}
			rows[b.PID] = b.Row
		}
	}
	l, _ := lanesOf(t, db, plain, 90*time.Second, 170*time.Second)
	alive := map[int64]bool{}
	for _, b := range l.Bars {
		if b.Alive {
			alive[b.PID] = b.End == nil && b.Command != ""
		}
	}
	if !alive[1199] || !alive[4242] || len(alive) != 2 || len(l.Groups) != 1 || l.Groups[0].JobID != "build-7" || *l.Groups[0].Sheet != 1 || l.Groups[0].Rows < 10 || l.Groups[0].Rows > 40 {
		t.Errorf("got %v alive, groups %+v; want the last process and the one that was there before, in one step of 10 to 40 rows", alive, l.Groups)
	}
	// The control: a life that is gone.
	if _, err := plain.Exec(`DELETE FROM lives WHERE pid = 1003`); err != nil {
		t.Fatal(err)
	}
	if _, defects := lanesOf(t, db, plain, 0, 170*time.Second); len(defects) == 0 {
		t.Error("control: a process without a bar is not noticed")
	}
}

// Where short lives are very many, minutes are read; the runs of a job have rows of their own.
func TestReadLanes_Minutes(t *testing.T) {
	r := newRecording(t)
	r.exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 29999) INSERT INTO lives(host_id, class, start_ms, first_event, pid, end_ms, lane, job_id, fleet, sheet_num, event_id)
		SELECT 1, 2, 1700006400000 + i * 100, i, i, 1700006400000 + i * 100 + 20, 0, '', 0, -1, i FROM n`)
	r.exec(`INSERT INTO step_minutes(timestamp, host_id, job_id, fleet, sheet_num, starts, ends, deaths, exit_cpu_ms) SELECT start_ms / 60000 * 60.0, 1, '', 0, -1, count(*), count(*), 0, 10 * count(*) FROM lives GROUP BY 1`)
	for i, ended := range []any{1700006500.0, nil, 1700006900.0} {
		r.insert("runs", row{"job_id": "j", "host_id": 1, "run_id": fmt.Sprint("run", i), "started": 1700006400.0 + 60*float64(i), "ended": ended, "last_event": 1700006400.0})
	}
	db := r.open()
	for from, want := range map[float64]string{seriesBegin: query.OfMinutes, seriesBegin + 2700: query.OfLives} {
		l, err := query.ReadLanes(t.Context(), db, query.Filter{Range: query.Range{Since: from, Until: seriesBegin + 3000}}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		lives, cpu := int64(0), 0.0
		for _, c := range l.Cells {
			lives, cpu = lives+c.Lives, cpu+c.CPU
		}
		if n := int64(seriesBegin+3000-from) * 10; l.CellsOf != want || lives != n || len(l.Bars) != 0 || want == query.OfMinutes && (cpu < 299 || cpu > 301) {
			t.Errorf("from %.0f: %d lives, %.1f s of CPU in cells of %s, %d bars; want %d in cells of %s", from, lives, cpu, l.CellsOf, len(l.Bars), n, want)
		}
		if from == seriesBegin && (len(l.Runs) != 3 || l.Runs[0].Row != 0 || l.Runs[1].Row != 1 || l.Runs[2].Row != 0 || l.Runs[1].Ended != nil) {
			t.Errorf("got the runs %+v, want three on rows 0, 1 and 0", l.Runs)
		}
	}
}

// Where many steps have more cells than are told, cells are joined to longer ones, and nothing is lost by that.
func TestReadLanes_ManySteps(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a long test, which make test runs")
	}
	r := newRecording(t)
	r.exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 29999) INSERT INTO lives(host_id, class, start_ms, first_event, pid, end_ms, lane, job_id, fleet, sheet_num, event_id)
		SELECT 1, 2, 1700006400000 + i * 100, i, i, 1700006400000 + i * 100 + 20, 0, 'job-' || (i % 400), 0, -1, i FROM n`)
	r.exec(`INSERT INTO step_minutes(timestamp, host_id, job_id, fleet, sheet_num, starts, ends, deaths, exit_cpu_ms) SELECT start_ms / 60000 * 60.0, 1, job_id, 0, -1, count(*), count(*), 1, 10 * count(*) FROM lives GROUP BY 1, 3`)
	db := r.open()
	l, err := query.ReadLanes(t.Context(), db, query.Filter{Range: query.Range{Since: seriesBegin, Until: seriesBegin + 3000}}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	lives, deaths := int64(0), int64(0)
	for _, c := range l.Cells {
		lives, deaths = lives+c.Lives, deaths+c.Deaths
		if c.Timestamp/l.Cell != float64(int64(c.Timestamp/l.Cell)) {
			t.Errorf("a cell of %v s begins at %v", l.Cell, c.Timestamp)
		}
	}
	if lives != 30_000 || deaths != 400*50 || l.Cell != 600 || len(l.Cells) != 400*5 {
		t.Errorf("%d lives and %d deaths in %d cells of %v s; want 30 000 and 20 000 in 2000 cells of ten minutes", lives, deaths, len(l.Cells), l.Cell)
	}
}

// A bar says that its process was killed for want of memory where an event does. One that was killed otherwise is not such a one.
func TestReadLanes_OutOfMemory(t *testing.T) {
	r := newRecording(t)
	for i := range 3 {
		r.event(int64(10+i), seriesBegin+5, "exit", row{"pid": 100 + i, "start_ticks": 7, "signal_num": 9, "boot_id": "b"})
		r.insert("lives", row{"host_id": 1, "class": 6, "start_ms": int64(seriesBegin * 1000), "first_event": 10 + i, "pid": 100 + i, "end_ms": int64(seriesBegin*1000) + 5000, "lane": i, "job_id": "", "fleet": 0, "sheet_num": -1, "event_id": 10 + i})
	}
	r.event(20, seriesBegin+5, "oom", row{"pid": 101, "start_ticks": 7, "boot_id": "b"})
	r.event(21, seriesBegin+5, "oom", row{"pid": 102, "start_ticks": 8, "boot_id": "b"}) // another process of this id
	l, err := query.ReadLanes(t.Context(), r.open(), query.Filter{Range: query.Range{Since: seriesBegin, Until: seriesBegin + 60}}, 1000)
	if err != nil {
		t.Fatal(err)
	}
	if len(l.Bars) != 3 || l.Bars[0].OOM || !l.Bars[1].OOM || l.Bars[2].OOM {
		t.Errorf("got %+v, want three bars, the second of them out of memory", l.Bars)
	}
}
