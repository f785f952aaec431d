package query_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/proctape/proctape/query"
	"github.com/proctape/proctape/schema"
)

// A database is opened read-only. Each question is a function that takes it.
func ExampleOpen() {
	m := newMachine("build-07")
	m.snapshot(0, compiler(900, 200<<10, time.Second))
	path, remove := m.record()
	defer remove()

	db, err := query.Open(context.Background(), path)
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	hosts, err := query.HostNames(context.Background(), db)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(hosts)

	_, err = query.Open(context.Background(), path+".old")
	fmt.Println(errors.Is(err, query.ErrNoDatabase))
	// Output:
	// [build-07]
	// true
}

// Who used the most CPU and memory, snapshot by snapshot?
func ExampleSnapshots() {
	m := newMachine("build-07")
	m.snapshot(0, compiler(900, 200<<10, time.Second))
	m.snapshot(5*time.Second, compiler(1000, 300<<10, 6*time.Second))
	m.snapshot(10*time.Second, compiler(950, 250<<10, 10*time.Second))
	db, done := m.openRecorded()
	defer done()

	snapshots, err := query.Snapshots(context.Background(), db, query.Range{Limit: 2, Newest: true})
	if err != nil {
		log.Fatal(err)
	}
	for _, s := range snapshots {
		p := s.Processes[0]
		fmt.Printf("%s %s: load %.2f; %s: %.1f%% of a core, %.0f MB\n",
			schema.Time(s.Timestamp).Format(time.TimeOnly), s.Host, s.Load1, p.Command, p.CPUPercent, p.RSS)
	}
	// Output:
	// 03:10:05 build-07: load 1.25; cc -O2 main.c: 100.0% of a core, 300 MB
	// 03:10:10 build-07: load 1.25; cc -O2 main.c: 95.0% of a core, 250 MB
}

// A value that could not be read is unknown, and not zero.
func ExampleProcess() {
	m := newMachine("build-07")
	p := compiler(900, 200<<10, time.Second)
	p.OpenFDs = schema.Opt[int64]{} // of another user
	m.snapshot(0, p)
	db, done := m.openRecorded()
	defer done()

	snapshots, err := query.Snapshots(context.Background(), db, query.Range{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(snapshots[0].Processes[0].Unknown)
	// Output: [vms_mb open_fds]
}

// What ended, and how?
func ExampleEvents() {
	m := newMachine("build-07")
	m.event(schema.KindSpawn, time.Second, schema.Event{PID: 4242, StartTicks: 99_000, Command: "cc -O2 main.c", JobID: "build-7"})
	m.event(schema.KindExit, 9*time.Second, schema.Event{PID: 4242, StartTicks: 99_000, Command: "cc -O2 main.c", JobID: "build-7",
		ExitCode: schema.Some[int64](1), PeakRSS: schema.Some[int64](300 << 10)})
	db, done := m.openRecorded()
	defer done()

	events, err := query.Events(context.Background(), db, query.Filter{Job: "build-7", Types: []string{"exit"}})
	if err != nil {
		log.Fatal(err)
	}
	for _, e := range events {
		fmt.Printf("%s: %s exited with %d, at most %.0f MB\n", schema.Time(e.Timestamp).Format(time.TimeOnly), e.Command, *e.ExitCode, *e.PeakRSS)
	}
	// Output: 03:10:09: cc -O2 main.c exited with 1, at most 300 MB
}

// How did one process grow?
func ExampleHistory() {
	m := newMachine("build-07")
	for i := range int64(3) {
		m.snapshot(time.Duration(i)*5*time.Second, compiler(1000, (100+50*i)<<10, time.Duration(i)*5*time.Second))
	}
	db, done := m.openRecorded()
	defer done()

	points, err := query.History(context.Background(), db, 4242, query.Range{Since: schema.Timestamp(start.UnixNano())})
	if err != nil {
		log.Fatal(err)
	}
	for _, p := range points {
		fmt.Printf("%s %.0f MB, %.0f s of CPU\n", schema.Time(p.Timestamp).Format(time.TimeOnly), p.RSS, p.CPUSeconds)
	}
	// Output:
	// 03:10:00 100 MB, 0 s of CPU
	// 03:10:05 150 MB, 5 s of CPU
	// 03:10:10 200 MB, 10 s of CPU
}

// What did a job use, step by step?
func ExampleJobProfile() {
	m := newMachine("build-07")
	m.snapshot(0, compiler(900, 200<<10, time.Second))
	m.snapshot(5*time.Second, compiler(1000, 300<<10, 6*time.Second))
	db, done := m.openRecorded()
	defer done()

	profile, err := query.JobProfile(context.Background(), db, query.JobFilter{Name: "build-7"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.0f s of CPU, %.0f MB\n", profile.CPUSeconds, profile.PeakRSS)
	fmt.Printf("step 1: %.0f%% of a core, %.0f MB\n", profile.Sheets[1].MaxCPU, profile.Sheets[1].PeakRSS)

	_, err = query.JobProfile(context.Background(), db, query.JobFilter{Name: "build-8"})
	fmt.Println(errors.Is(err, query.ErrNoJob))
	// Output:
	// 6 s of CPU, 300 MB
	// step 1: 100% of a core, 300 MB
	// true
}

// Which jobs ran last, and how did they end?
func ExampleJobs() {
	m := newMachine("build-07")
	m.snapshot(0, compiler(900, 200<<10, time.Second))
	m.publish(schema.KindJob, 6*time.Second, schema.Message{Jobs: []schema.JobEvent{{Type: schema.JobEnded, Wall: start.Add(6 * time.Second).UnixNano(),
		JobID: "build-7", Status: "failed", ExitCode: schema.Some[int64](2)}}})
	db, done := m.openRecorded()
	defer done()

	jobs, err := query.Jobs(context.Background(), db, query.Range{Limit: 10})
	if err != nil {
		log.Fatal(err)
	}
	for _, j := range jobs {
		fmt.Printf("%s %s, exit code %d, %.0f MB\n", j.JobID, *j.Status, *j.ExitCode, *j.PeakRSS)
	}
	// Output: build-7 failed, exit code 2, 200 MB
}

// What is missing, and why? The sampler was silent for half a minute.
func ExampleGaps() {
	m := newMachine("build-07")
	m.snapshot(0, compiler(900, 200<<10, time.Second))
	m.snapshot(5*time.Second, compiler(900, 200<<10, 5*time.Second))
	m.snapshot(35*time.Second, compiler(900, 200<<10, 30*time.Second))
	db, done := m.openRecorded()
	defer done()

	gaps, err := query.Gaps(context.Background(), db, query.Range{}, "")
	if err != nil {
		log.Fatal(err)
	}
	for _, g := range gaps {
		fmt.Printf("%s: %d %s, %s to %s\n", g.Host, *g.Count, g.Kind,
			schema.Time(*g.From).Format(time.TimeOnly), schema.Time(*g.To).Format(time.TimeOnly))
	}
	// Output: build-07: 5 missed_ticks, 03:10:05 to 03:10:35
}

// How much of a time does the recording know?
func ExampleHostCoverage() {
	m := newMachine("build-07")
	for i := range 12 {
		if i < 3 || i > 8 { // half a minute is missing
			m.snapshot(time.Duration(i)*5*time.Second, compiler(900, 200<<10, time.Second))
		}
	}
	db, done := m.openRecorded()
	defer done()

	from, to := start, start.Add(time.Minute)
	covers, err := query.HostCoverage(context.Background(), db, query.Range{Since: schema.Timestamp(from.UnixNano()), Until: schema.Timestamp(to.UnixNano())})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range covers {
		fmt.Printf("%s: %.0f%% of the minute\n", c.Host, c.Percent)
	}
	// Output: build-07: 50% of the minute
}

// Each host's balance says what became of all that its samplers produced.
func ExampleHosts() {
	m := newMachine("build-07")
	m.snapshot(0, compiler(900, 200<<10, time.Second))
	m.numbers[schema.KindSnapshot] += 2 // two snapshots that never came
	m.snapshot(15*time.Second, compiler(900, 200<<10, 2*time.Second))
	db, done := m.openRecorded()
	defer done()

	hosts, err := query.Hosts(context.Background(), db)
	if err != nil {
		log.Fatal(err)
	}
	for _, h := range hosts {
		fmt.Printf("%s: %d produced = %d stored + %d quarantined + %d missing\n", h.Host, h.Produced, h.Stored, h.Quarantined, h.Missing)
	}
	// Output: build-07: 4 produced = 2 stored + 0 quarantined + 2 missing
}

// A question that has no method is asked in SQL, of a handle that cannot write.
func ExampleDB_Handle() {
	m := newMachine("build-07")
	m.snapshot(0, compiler(900, 200<<10, time.Second))
	m.snapshot(5*time.Second, compiler(1000, 300<<10, 6*time.Second))
	db, done := m.openRecorded()
	defer done()

	var mean float64
	err := db.Handle().QueryRow(`SELECT avg(rss_mb) FROM process_metrics WHERE job_id = ?`, "build-7").Scan(&mean)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.0f MB\n", mean)
	// Output: 250 MB
}

// A listing of any length is read item by item.
func ExampleEventSeq() {
	m := newMachine("build-07")
	m.event(schema.KindExit, time.Second, schema.Event{PID: 4300, StartTicks: 100_100, Command: "ld main.o", Signal: schema.Some[int64](15)})
	m.event(schema.KindSignal, time.Second, schema.Event{PID: 4300, StartTicks: 100_100, Command: "ld main.o", Signal: schema.Some[int64](15)})
	m.event(schema.KindExit, 2*time.Second, schema.Event{PID: 4301, StartTicks: 100_200, Command: "make", Signal: schema.Some[int64](9)})
	m.event(schema.KindKill, 2*time.Second, schema.Event{PID: 4301, StartTicks: 100_200, Command: "make", Signal: schema.Some[int64](9)})
	db, done := m.openRecorded()
	defer done()

	failed := query.EventSeq(context.Background(), db, query.Filter{Failed: true})
	for e, err := range query.WithCauses(failed) { // a death is one line
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%d %s: %s %s\n", e.PID, e.Command, e.Type, e.Cause)
	}
	// Output:
	// 4300 ld main.o: exit signal
	// 4301 make: exit kill
}

// Answers in parts: each part says how to go on.
func ExamplePageOf() {
	m := newMachine("build-07")
	for i := range 3 {
		m.snapshot(time.Duration(i)*5*time.Second, compiler(900, 200<<10, time.Second))
	}
	db, done := m.openRecorded()
	defer done()

	newest := query.Filter{Range: query.Range{Reverse: true}}
	for more := true; more; more = newest.After != "" {
		page, err := query.PageOf(query.SnapshotSeq(context.Background(), db, newest), 2)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(page.Items), "from", schema.Time(page.Items[0].Timestamp).Format(time.TimeOnly))
		newest.After = page.Next
	}
	// Output:
	// 2 from 03:10:10
	// 1 from 03:10:00
}

// Who used most in a range?
func ExampleTopOf() {
	m := newMachine("build-07")
	m.snapshot(0, compiler(900, 200<<10, time.Second))
	m.snapshot(5*time.Second, compiler(1000, 300<<10, 6*time.Second))
	db, done := m.openRecorded()
	defer done()

	q := query.TopQuery{By: "job", Sort: "cpu"}
	q.Since, q.Until = schema.Timestamp(start.UnixNano()), schema.Timestamp(start.Add(time.Minute).UnixNano())
	top, err := query.TopOf(context.Background(), db, q)
	if err != nil {
		log.Fatal(err)
	}
	for _, row := range top.Rows {
		fmt.Printf("%s used %.1f s, at most %.0f MiB\n", row.Key, row.CPUSeconds, row.Memory)
	}
	// Output: build-7 used 5.0 s, at most 300 MiB
}

// What was there at a time, and how old is that?
func ExampleProcessesAt() {
	m := newMachine("build-07")
	m.snapshot(0, compiler(900, 200<<10, time.Second))
	db, done := m.openRecorded()
	defer done()

	at := schema.Timestamp(start.Add(3 * time.Second).UnixNano())
	moments, err := query.ProcessesAt(context.Background(), db, at, query.Filter{Job: "build-7"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%.0f s old: %s\n", moments[0].Old, moments[0].Processes[0].Command)
	// Output: 3 s old: cc -O2 main.c
}

// Who bore whom, also when the parent has ended?
func ExampleTreeAt() {
	m := newMachine("build-07")
	parent := int64(4200)
	m.event(schema.KindSpawn, 0, schema.Event{PID: 4242, StartTicks: 99_000, PPID: schema.Some(parent), Command: "cc -O2 main.c"})
	m.snapshot(time.Second, compiler(900, 200<<10, time.Second)) // adopted by process 1
	db, done := m.openRecorded()
	defer done()

	trees, err := query.TreeAt(context.Background(), db, schema.Timestamp(start.Add(time.Second).UnixNano()), query.Filter{})
	if err != nil {
		log.Fatal(err)
	}
	root := trees[0].Roots[0]
	fmt.Println(root.PID, root.Ended, root.Children[0].PID, root.Children[0].Adopted)
	// Output: 4200 true 4242 true
}

// What changed between two times?
func ExampleDiff() {
	m := newMachine("build-07")
	m.snapshot(0, compiler(900, 200<<10, time.Second))
	m.snapshot(5*time.Second, compiler(1000, 300<<10, 6*time.Second))
	db, done := m.openRecorded()
	defer done()

	from, to := schema.Timestamp(start.UnixNano()), schema.Timestamp(start.Add(time.Minute).UnixNano())
	diffs, err := query.Diff(context.Background(), db, from, to, query.Filter{})
	if err != nil {
		log.Fatal(err)
	}
	for _, c := range diffs[0].Changes {
		fmt.Printf("%s %s: %+.0f MiB, %.0f s\n", c.Process().Command, c.Kind, c.RSS, c.CPU)
	}
	// Output: cc -O2 main.c stayed: +100 MiB, 5 s
}

// What did the machine do, minute by minute?
func ExampleReadSeries() {
	m := newMachine("build-07")
	for i := range 24 {
		m.snapshot(time.Duration(i)*5*time.Second, compiler(900, 200<<10, time.Duration(i)*time.Second))
	}
	m.event(schema.KindSpawn, 70*time.Second, schema.Event{PID: 901, Command: "cc"})
	m.event(schema.KindExit, 75*time.Second, schema.Event{PID: 901, Command: "cc", Signal: schema.Some[int64](9)})
	db, done := m.openRecorded()
	defer done()

	series, err := query.ReadSeries(context.Background(), db, query.Range{Since: schema.Timestamp(start.UnixNano()), Until: schema.Timestamp(start.Add(time.Hour).UnixNano())}, 60)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("cells of %g s, of %s\n", series.Cell, series.Of)
	for _, p := range series.Hosts[0].Points {
		fmt.Printf("%s: %d samples, %.0f of %.0f MiB, %d starts, %d deaths\n", schema.Time(p.Timestamp).Format(time.TimeOnly), p.Samples, *p.Memory, *p.MemoryHas, p.Starts, p.Deaths)
	}
	// Output:
	// cells of 60 s, of minutes
	// 03:10:00: 12 samples, 2048 of 8192 MiB, 0 starts, 0 deaths
	// 03:11:00: 12 samples, 2048 of 8192 MiB, 1 starts, 1 deaths
}
