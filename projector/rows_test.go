package projector

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/proctape/proctape/schema"
)

const allSamples = `SELECT snapshot_id, process_id, state, cpu_permille, rss_kib, vms_kib, threads, open_fds, cpu_ms, syscall_counts,
	syscall_time_pct FROM samples ORDER BY snapshot_id, process_id`

func TestStore_InsertSamples(t *testing.T) {
	some := schema.Some[int64]
	tests := []struct {
		name string
		in   sample
		want string
	}{
		{"nothing known", sample{snapshotID: 1, processID: 2, state: "S"}, "1 2 <nil> <nil> <nil> <nil> 0 <nil> 0 <nil> <nil>"},
		{"all known", sample{snapshotID: 1, processID: 2, state: "R", cpu: some(3), rss: some(4), vms: some(5), fds: some(6), threads: 7,
			cpuMillis: 8, calls: `{"read":9}`, times: `{"read":1.5}`}, `1 2 R 3 4 5 7 6 8 {"read":9} {"read":1.5}`},
		{"nought is known", sample{snapshotID: 1, processID: 2, state: "Z", cpu: some(0), rss: some(0), vms: some(0), fds: some(0)},
			"1 2 Z 0 0 0 0 0 0 <nil> <nil>"},
		{"only the CPU known", sample{snapshotID: 1, processID: 2, state: "S", cpu: some(3)}, "1 2 <nil> 3 <nil> <nil> 0 <nil> 0 <nil> <nil>"},
		{"only the RSS known", sample{snapshotID: 1, processID: 2, state: "S", rss: some(4)}, "1 2 <nil> <nil> 4 <nil> 0 <nil> 0 <nil> <nil>"},
		{"only the VMS known", sample{snapshotID: 1, processID: 2, state: "S", vms: some(5)}, "1 2 <nil> <nil> <nil> 5 0 <nil> 0 <nil> <nil>"},
		{"only the files known", sample{snapshotID: 1, processID: 2, state: "S", fds: some(6)}, "1 2 <nil> <nil> <nil> <nil> 0 6 0 <nil> <nil>"},
		{"largest", sample{snapshotID: math.MaxInt64, processID: math.MaxInt64, state: "D", cpu: some(math.MaxInt64), rss: some(math.MaxInt64),
			threads: math.MaxInt64, cpuMillis: math.MaxInt64},
			"9223372036854775807 9223372036854775807 D 9223372036854775807 9223372036854775807 <nil> 9223372036854775807 <nil> 9223372036854775807 <nil> <nil>"},
		{"negative", sample{snapshotID: 1, processID: 2, state: "t", cpu: some(-1)}, "1 2 t -1 <nil> <nil> 0 <nil> 0 <nil> <nil>"},
		{"text that is not ASCII", sample{snapshotID: 1, processID: 2, state: "S", calls: `{"né\"e":1}`, times: "{}"},
			`1 2 <nil> <nil> <nil> <nil> 0 <nil> 0 {"né\"e":1} {}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newTape(t, -1)
			if err := p.s.fold.db.transact(func() error { return p.s.fold.db.insertSamples([]sample{test.in}) }); err != nil {
				t.Fatal(err)
			}
			p.wantRows(allSamples, test.want)
			for _, column := range []string{"cpu_permille", "rss_kib", "threads", "cpu_ms"} {
				if got := p.rows(`SELECT typeof(` + column + `) FROM samples`)[0]; got != "integer" && got != "null" {
					t.Errorf("%s is stored as %s, want an integer", column, got)
				}
			}
		})
	}
}

// The table of a batch is read again from its start for every batch, whatever the batch before held.
func TestStore_InsertSamplesAgain(t *testing.T) {
	p := newTape(t, -1)
	var want []string
	id := int64(0)
	for _, n := range []int{3, 0, 1, 1000, 2} {
		var batch []sample
		for range n {
			id++
			batch = append(batch, sample{snapshotID: 1, processID: id, state: "S", threads: id})
			want = append(want, fmt.Sprint(id, id))
		}
		if err := p.s.fold.db.transact(func() error { return p.s.fold.db.insertSamples(batch) }); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.rows(`SELECT process_id, threads FROM samples ORDER BY process_id`); len(got) != len(want) {
		t.Errorf("got %d rows, want %d", len(got), len(want))
	}
	if got := p.value(`SELECT count(*) FROM temp.new_samples`); got != 0 {
		t.Errorf("%d rows are still to be inserted, want none", got)
	}
}

// Two rows of one key are a fault of ours: nothing of the transaction stays.
func TestStore_InsertSamplesTwice(t *testing.T) {
	p := newTape(t, -1)
	db := p.s.fold.db
	err := db.transact(func() error {
		if _, err := db.exec(`INSERT INTO hosts(id, name) VALUES (1, 'h')`); err != nil {
			return err
		}
		return db.insertSamples([]sample{{snapshotID: 1, processID: 1}, {snapshotID: 1, processID: 2}, {snapshotID: 1, processID: 1}})
	})
	if err == nil {
		t.Error("got no error")
	}
	p.reopen()
	p.wantRows(`SELECT (SELECT count(*) FROM samples), (SELECT count(*) FROM hosts)`, "0 0")
}

// Two databases of one process do not see each other's batches.
func TestStore_TwoAtOnce(t *testing.T) {
	a, b := newTape(t, -1), newTape(t, -1)
	insert := func(p *tape, id int64) {
		if err := p.s.fold.db.insertSamples([]sample{{snapshotID: id, processID: id}}); err != nil {
			t.Fatal(err)
		}
	}
	insert(a, 1)
	insert(b, 2)
	insert(a, 3)
	a.wantRows(`SELECT process_id FROM samples`, "1", "3")
	b.wantRows(`SELECT process_id FROM samples`, "2")
}

// After a statement of a transaction failed, none of the others is run.
func TestStore_TransactStopsAtFailure(t *testing.T) {
	p := newTape(t, -1)
	db := p.s.fold.db
	insert := func(id int) error {
		_, err := db.exec(`INSERT OR ROLLBACK INTO hosts(id, name) VALUES (?, ?)`, id, fmt.Sprint("h", id))
		return err
	}
	err := db.transact(func() error {
		for _, id := range []int{1, 1, 2} { // it does not look at its errors
			insert(id)
		}
		return nil
	})
	if err == nil {
		t.Error("got no error")
	}
	if err := db.transact(func() error { return insert(3) }); err != nil {
		t.Errorf("the next transaction: %v", err)
	}
	p.reopen()
	if got, want := p.rows(`SELECT name FROM hosts`), []string{"h3"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// What a snapshot says of a process is what process_metrics says, in the contract's units.
func TestFold_ProcessMetrics(t *testing.T) {
	some := schema.Some[int64]
	h := newHost("h")
	h.start(schema.Process{PID: 5})
	h.start(schema.Process{PID: 7, PPID: 5, Command: "cc1", State: "R", StartTicks: 9000, CPUPermille: some(1005), CPUMillis: 12, RSS: some(1536),
		VMS: some(2048), Threads: 3, OpenFDs: some(9), UID: some(0), JobID: "j", Sheet: some(2),
		Syscalls: []schema.Syscall{{Name: "futex", Calls: 3, TimeX100: 4250}, {Name: "read", Calls: 1, TimeX100: 5}}})
	p := newTape(t, -1)
	p.fold(newLog().publish(h.snapshot()))
	const columns = `SELECT id, snapshot_id, pid, ppid, command, state, cpu_percent, rss_mb, vms_mb, threads, open_fds, age_seconds, job_id,
		sheet_num, syscall_counts, syscall_time_pct FROM process_metrics ORDER BY pid`
	p.wantRows(columns,
		fmt.Sprint(1<<22|5, " 1 5 0 program-5 S <nil> <nil> <nil> 1 <nil> 1 <nil> <nil> {} {}"),
		fmt.Sprint(1<<22|7, ` 1 7 5 cc1 R 100.5 1.5 2 3 9 11 j 2 {"futex":3,"read":1} {"futex":42.5,"read":0.05}`))
}
