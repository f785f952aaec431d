package projector

import (
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/proctape/proctape/projector/retention"
	"github.com/proctape/proctape/projector/runs"
	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// keeper is one that publishes the records of a database's runs when it is told to.
func (d *kept) keeper() *runs.Keeper {
	d.w.t.Helper()
	read := d.reader()
	d.w.t.Cleanup(func() { read.Close() })
	return runs.New(d.w.js, read, d.as)
}

// reader is a connection of its own to the database. The caller closes it.
func (d *kept) reader() *sql.DB {
	d.w.t.Helper()
	read, err := sql.Open("sqlite", schema.ReaderDSN(d.path))
	if err != nil {
		d.w.t.Fatal(err)
	}
	return read
}

// look has a keeper find what was told of runs, and publish it.
func (d *kept) look(k *runs.Keeper) {
	d.w.t.Helper()
	for range 2 {
		d.settle()
		if err := k.Look(d.w.t.Context()); err != nil {
			d.w.t.Fatal(err)
		}
	}
	d.settle()
}

// listRuns are the runs of a job in a database.
func listRuns(t testing.TB, path, job string) []query.Run {
	t.Helper()
	db, err := query.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	list, err := query.Runs(t.Context(), db, query.JobFilter{Name: job})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// runsOf are the runs of a job as people see them, one a line.
func runsOf(t testing.TB, path, job string) string {
	t.Helper()
	var lines []string
	for _, r := range listRuns(t, path, job) {
		b, err := json.Marshal(&r)
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, string(b))
	}
	return strings.Join(lines, "\n")
}

// numbersOf are the numbers of the runs of a job, each with the first byte of its id and whether it has ended.
func numbersOf(t testing.TB, path, job string) string {
	t.Helper()
	var all []string
	for _, r := range listRuns(t, path, job) {
		all = append(all, fmt.Sprintf("%d=%s%s", r.Number, r.ID[:2], map[bool]string{true: "*"}[r.Ended == nil]))
	}
	return strings.Join(all, " ")
}

// begin and finish tell of a run whose id begins with a byte.
func begin(h *simHost, job string, id byte) *schema.Message {
	return h.jobs(schema.JobEvent{Type: schema.JobDeclared, JobID: job, Run: schema.RunID{id}, PID: schema.Some(int64(id)), StartTicks: 7, Command: "make", Status: "running"})
}

func finish(h *simHost, job string, id byte, change func(*schema.JobEvent)) *schema.Message {
	e := schema.JobEvent{Type: schema.JobEnded, JobID: job, Run: schema.RunID{id}, Status: "completed", ExitCode: schema.Some[int64](0)}
	if change != nil {
		change(&e)
	}
	return h.jobs(e)
}

// replayed is a database made of what the log still holds.
func (w *world) replayed(name string) string {
	w.t.Helper()
	path := filepath.Join(w.dir, name+".db")
	if _, err := Replay(w.t.Context(), w.js, ReplayConfig{DB: path, Log: slog.New(slog.DiscardHandler)}); err != nil {
		w.t.Fatal(err)
	}
	return path
}

// A run keeps its number, its totals and its steps when the events that told of it are gone from the database and from the log, and a replay
// of what is left gives the same. The control is a replay that does not know the records: there the numbers have moved.
func TestRunRecords_OutliveTheEvents(t *testing.T) {
	w := newWorld(t)
	h, other := w.host("alpha"), w.host("beta")
	d := w.open("live", short)
	k := d.keeper()
	tell := func(ms ...*schema.Message) {
		for _, m := range ms {
			w.made[m] = w.now.Boot
		}
		w.publish(ms...)
		w.pass(10*second, h, other)
	}
	tell(begin(h, "build", 1))
	tell(h.jobs(schema.JobEvent{Type: schema.JobSheetStarted, JobID: "build", Run: schema.RunID{1}, Sheet: schema.Some[int64](3)}))
	exit := h.events(schema.KindExit, 2, "build")
	exit.Events[0].CPUMillis, exit.Events[1].PeakRSS = schema.Some[int64](1500), schema.Some[int64](2048)
	tell(exit, begin(other, "build", 9))
	tell(h.jobs(schema.JobEvent{Type: schema.JobSheetEnded, JobID: "build", Run: schema.RunID{1}, Sheet: schema.Some[int64](3), ExitCode: schema.Some[int64](2),
		Totals: &schema.Totals{CPUMicros: schema.Some[int64](70), CPUSource: schema.FromWait}}))
	tell(finish(h, "build", 1, nil))
	tell(begin(h, "build", 2), finish(h, "build", 2, func(e *schema.JobEvent) {
		e.Totals = &schema.Totals{CPUMicros: schema.Some[int64](2_100_000), System: schema.Some[int64](600_000), CPUSource: schema.FromWait, GroupPeak: schema.Some[int64](4096)}
	}))
	d.look(k)
	before := runsOf(t, d.path, "build")
	if !strings.Contains(before, `"total_cpu_seconds":1.5,"cpu_source":"exits","user_cpu_seconds":null,"system_cpu_seconds":null`) || !strings.Contains(before, `"total_cpu_seconds":2.1,"cpu_source":"wait4","user_cpu_seconds":1.5,"system_cpu_seconds":0.6`) {
		t.Fatalf("got %s, want totals by exits where nobody told them", before)
	}

	// The policy takes away all that told of these runs, and another run begins.
	w.run(4*hour, 10*minute, steady, h, other)
	tell(begin(h, "build", 3))
	d.settle()
	d.retain()
	d.look(k)
	if n := d.rows(`SELECT count(*) FROM job_events`); n[0] != "1" {
		t.Fatalf("got %s job events, want the last alone", n)
	}
	const numbers = "1=01 2=02 3=03* 1=09*"
	fresh := w.replayed("fresh")
	for _, path := range []string{d.path, fresh} {
		if got := numbersOf(t, path, "build"); got != numbers {
			t.Errorf("%s: got runs %s, want %s", filepath.Base(path), got, numbers)
		}
		if got := runsOf(t, path, "build"); !strings.HasPrefix(got, strings.Join(strings.Split(before, "\n")[:2], "\n")+"\n") {
			t.Errorf("%s: got\n%s\nwant at first\n%s", filepath.Base(path), got, before)
		}
	}
	steps := func(path string) string {
		db, err := query.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		r, err := query.FindRun(t.Context(), db, query.JobFilter{Name: "build", Host: "alpha"}, "1")
		if err != nil {
			t.Fatal(err)
		}
		b, _ := json.Marshal(r.Steps)
		return string(b)
	}
	if got, want := steps(fresh), steps(d.path); got != want || !strings.Contains(got, `"sheet_num":3`) || !strings.Contains(got, `"exit_code":2`) {
		t.Errorf("got steps %s, and of the live database %s", got, want)
	}

	// The control.
	d.stop()
	if err := w.js.DeleteStream(t.Context(), schema.StreamHistory); err != nil {
		t.Fatal(err)
	}
	bare := filepath.Join(w.dir, "bare.db")
	if _, err := Replay(t.Context(), w.js, ReplayConfig{DB: bare, LackStreams: true, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	if got := numbersOf(t, bare, "build"); got != "1=03*" {
		t.Errorf("without records: got %s, want that the third run is the first", got)
	}
}

// A run has its number from when it is known, whichever run ends first, and an end that was seen takes the place of one that was concluded. A
// keeper that begins anew publishes nothing that is told already.
func TestRunRecords_NumbersStay(t *testing.T) {
	w := newWorld(t)
	h := w.host("alpha")
	d := w.open("live", short)
	k := d.keeper()
	check := func(want string, records int64) {
		t.Helper()
		d.look(k)
		if got := numbersOf(t, d.path, "build"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := w.messages(schema.StreamHistory); got != records {
			t.Errorf("got %d records, want %d", got, records)
		}
	}
	w.publish(begin(h, "build", 5))
	w.pass(second, h)
	w.publish(begin(h, "build", 4))
	check("1=05* 2=04*", 2)
	w.publish(finish(h, "build", 4, nil))
	check("1=05* 2=04", 3)
	early := begin(h, "build", 1) // heard of late
	early.Jobs[0].Wall -= 100 * second
	w.publish(early)
	check("1=05* 2=04 3=01*", 4)
	w.publish(finish(h, "build", 5, func(e *schema.JobEvent) { e.Inferred, e.ExitCode = true, schema.Opt[int64]{} }))
	check("1=05 2=04 3=01*", 5)
	w.pass(second, h)
	w.publish(finish(h, "build", 5, func(e *schema.JobEvent) { e.ExitCode = schema.Some[int64](7) }))
	check("1=05 2=04 3=01*", 6)
	if got := runsOf(t, d.path, "build"); !strings.Contains(strings.Split(got, "\n")[0], `"inferred":false,"exit_code":7`) {
		t.Errorf("got %s, want the end that was seen", got)
	}
	k = d.keeper()
	check("1=05 2=04 3=01*", 6)
	fleet := begin(newHost(schema.Fleet), "build", 8)
	fleet.Wall, fleet.Jobs[0].Wall = h.wall, h.wall
	w.publish(fleet)
	check("1=08* 1=05 2=04 3=01*", 7)
}

// Two databases of one log never give a number twice: what one has published, the other takes over first.
func TestRunRecords_TwoDatabases(t *testing.T) {
	w := newWorld(t)
	h := w.host("alpha")
	a, b := w.open("a", short), w.open("b", short)
	ka, kb := a.keeper(), b.keeper()
	for id := byte(1); id <= 6; id++ {
		w.publish(begin(h, "build", id), finish(h, "build", id, nil))
		w.pass(second, h)
		a.settle()
		b.settle()
		for _, k := range []*runs.Keeper{ka, kb, kb, ka}[:2+2*(id%2)] {
			if err := k.Look(t.Context()); err != nil && !strings.Contains(err.Error(), "wrong last sequence") {
				t.Fatal(err)
			}
		}
	}
	a.look(ka)
	b.look(kb)
	a.settle()
	const want = "1=01 2=02 3=03 4=04 5=05 6=06"
	for _, d := range []*kept{a, b} {
		if got := numbersOf(t, d.path, "build"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if got := a.rows(`SELECT count(DISTINCT number) || ' ' || count(*) || ' ' || max(record) FROM run_records`)[0]; got != "6 6 1" {
		t.Errorf("got %s, want six numbers of six runs, each published once", got)
	}
}

// 400 days of runs by synthetic time, forty a day: a replay is equal, and the runs of a job are read in milliseconds of CPU time.
func TestRunRecords_400Days(t *testing.T) {
	if testing.Short() {
		t.Skip("SKIPPED: a campaign of thousands of runs, which make test runs")
	}
	const days = 400
	daily := int64(16)
	if soak {
		daily = 40
	}
	w := newWorld(t)
	w.set(func(r *retention.Reading) { r.Boot += days * day })
	h := w.host("alpha")
	h.wall -= days * day
	d := w.open("live", short)
	var all []*schema.Message
	for n := range days * daily {
		h.wall += day / daily
		job := []string{"nightly", "build", "test", "lint"}[n%4]
		m := h.record(job, schema.RunID{byte(n), byte(n >> 8), 1}, n/4+1, 1)
		m.Run.Ended, m.Run.ExitCode = schema.Some(h.wall+second), schema.Some(n%2)
		m.Run.Totals = &schema.Totals{CPUMicros: schema.Some(1000 * n), CPUSource: schema.FromWait, PeakRSS: schema.Some(100 + n%77), PeakSource: schema.FromWait}
		m.Run.Steps = []schema.RunStep{{Sheet: 1, Started: schema.Some(h.wall), ExitCode: schema.Some[int64](0)}}
		all = append(all, m)
	}
	for part := range slices.Chunk(all, 1000) {
		w.publish(part...)
	}
	d.settle()
	d.retain() // takes nothing: it is all within 400 days
	hash := func(path string) string {
		sum := sha256.New()
		for _, job := range []string{"nightly", "build", "test", "lint"} {
			fmt.Fprintln(sum, runsOf(t, path, job))
		}
		return fmt.Sprintf("%x", sum.Sum(nil))
	}
	want := hash(d.path)
	if got := hash(w.replayed("fresh")); got != want {
		t.Errorf("got hash %s of the replay, want %s", got, want)
	}
	db, err := query.Open(t.Context(), d.path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	least := int64(time.Hour) // of several tries: the machine may be busy
	for range 9 {
		began := cpuTime(t)
		list, err := query.Runs(t.Context(), db, query.JobFilter{Name: "nightly"})
		if err != nil || int64(len(list)) != days*daily/4 || list[0].Number != 1 || list[len(list)-1].Number != days*daily/4 {
			t.Fatalf("got %d runs, error %v", len(list), err)
		}
		least = min(least, cpuTime(t)-began)
	}
	t.Logf("%d runs of a job of 400 days read in %s of CPU time", days*daily/4, time.Duration(least))
	if most := daily * int64(150*time.Millisecond) / 40; least > most {
		t.Errorf("the runs of a job took %s of CPU time, want at most %s", time.Duration(least), time.Duration(most))
	}

	// What is older goes, from the database and from the log, and a replay knows no more either.
	w.pass(100*day+minute, h)
	d.retain()
	if n := d.rows(`SELECT count(*) FROM run_records`)[0]; n != fmt.Sprint(300*daily) {
		t.Errorf("got %s runs, want those of 300 days", n)
	}
	if got := w.messages(schema.StreamHistory); got != 300*daily {
		t.Errorf("got %d records in the log, want those of 300 days", got)
	}
	if want, got := hash(d.path), hash(w.replayed("trimmed")); got != want {
		t.Errorf("got hash %s of the replay of a trimmed log, want %s", got, want)
	}
	// The control: a number that moved is another hash.
	moved := w.replayed("moved")
	rw, err := sql.Open("sqlite", moved)
	if err == nil {
		_, err = rw.Exec(`UPDATE run_records SET number = number + 1 WHERE job_id = 'lint' AND number = ?`, days*daily/4)
	}
	if err := errors.Join(err, rw.Close()); err != nil {
		t.Fatal(err)
	}
	if hash(moved) == hash(d.path) {
		t.Error("another number gives the same hash")
	}
}
