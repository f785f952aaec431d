package store

import (
	"database/sql"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/proctape/proctape/schema"
)

// testStore is a store of a test, and the folder that it is in.
type testStore struct {
	t    testing.TB
	path string
	*Store
}

func newTestStore(t testing.TB) *testStore {
	t.Helper()
	p := &testStore{t: t, path: filepath.Join(t.TempDir(), "m.db")}
	p.open()
	t.Cleanup(p.close)
	return p
}

func (p *testStore) open() {
	p.t.Helper()
	var err error
	if p.Store, err = Open(p.path); err != nil {
		p.t.Fatal(err)
	}
}

func (p *testStore) close() {
	p.t.Helper()
	if err := p.Store.Close(); err != nil {
		p.t.Error(err)
	}
}

func (p *testStore) reopen() {
	p.t.Helper()
	p.close()
	p.open()
}

// insert writes samples in a transaction of their own.
func (p *testStore) insert(samples ...Sample) error {
	return p.Write(func(tx *Tx) error { return writeSamples(tx, samples) })
}

// rows returns what a query answers, one row a string.
func (p *testStore) rows(query string) []string {
	p.t.Helper()
	var out []string
	err := p.Query(query, func(r *sql.Rows) error {
		columns, err := r.Columns()
		if err != nil {
			return err
		}
		values, pointers := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			pointers[i] = &values[i]
		}
		err = r.Scan(pointers...)
		out = append(out, strings.TrimSuffix(fmt.Sprintln(values...), "\n"))
		return err
	})
	if err != nil {
		p.t.Fatalf("%s: %v", query, err)
	}
	return out
}

func (p *testStore) wantRows(query string, want ...string) {
	p.t.Helper()
	if got := p.rows(query); !slices.Equal(got, want) {
		p.t.Errorf("%s:\n got %q\nwant %q", query, got, want)
	}
}

// sampleOf is a row of samples.
func sampleOf(snapshot, process int64, p schema.Process) Sample {
	procs := schema.ProcessesOf(p)
	return Sample{SnapshotID: snapshot, ProcessID: process, Processes: &procs}
}

const allSamples = `SELECT id >> 22, process_id, state, cpu_permille, rss_kib, vms_kib, threads, open_fds, cpu_ms, syscall_counts,
	syscall_time_pct FROM samples ORDER BY id`

func TestStore_InsertSamples(t *testing.T) {
	some := schema.Some[int64]
	tests := []struct {
		name string
		in   Sample
		want string
	}{
		{"nothing known", sampleOf(1, 2, schema.Process{State: "S"}), "1 2 <nil> <nil> <nil> <nil> 0 <nil> 0 <nil> <nil>"},
		{"all known", sampleOf(1, 2, schema.Process{State: "R", CPUPermille: some(3), RSS: some(4), VMS: some(5), OpenFDs: some(6), Threads: 7,
			CPUMillis: 8, Syscalls: []schema.Syscall{{Name: "read", Calls: 9, TimeX100: 150}}}), `1 2 R 3 4 5 7 6 8 {"read":9} {"read":1.5}`},
		{"nought is known", sampleOf(1, 2, schema.Process{State: "Z", CPUPermille: some(0), RSS: some(0), VMS: some(0), OpenFDs: some(0)}),
			"1 2 Z 0 0 0 0 0 0 <nil> <nil>"},
		{"only the CPU known", sampleOf(1, 2, schema.Process{State: "S", CPUPermille: some(3)}), "1 2 <nil> 3 <nil> <nil> 0 <nil> 0 <nil> <nil>"},
		{"only the RSS known", sampleOf(1, 2, schema.Process{State: "S", RSS: some(4)}), "1 2 <nil> <nil> 4 <nil> 0 <nil> 0 <nil> <nil>"},
		{"only the VMS known", sampleOf(1, 2, schema.Process{State: "S", VMS: some(5)}), "1 2 <nil> <nil> <nil> 5 0 <nil> 0 <nil> <nil>"},
		{"only the files known", sampleOf(1, 2, schema.Process{State: "S", OpenFDs: some(6)}), "1 2 <nil> <nil> <nil> <nil> 0 6 0 <nil> <nil>"},
		{"largest", sampleOf(1<<41-1, math.MaxInt64, schema.Process{PID: 1<<22 - 1, State: "D", CPUPermille: some(math.MaxInt64), RSS: some(math.MaxInt64),
			Threads: math.MaxInt64, CPUMillis: math.MaxInt64}),
			"2199023255551 9223372036854775807 D 9223372036854775807 9223372036854775807 <nil> 9223372036854775807 <nil> 9223372036854775807 <nil> <nil>"},
		{"text that is not ASCII", sampleOf(1, 2, schema.Process{State: "S", Syscalls: []schema.Syscall{{Name: `né"e`, Calls: 1}}}),
			`1 2 <nil> <nil> <nil> <nil> 0 <nil> 0 {"né\"e":1} {"né\"e":0}`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			p := newTestStore(t)
			if err := p.insert(test.in); err != nil {
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
	p := newTestStore(t)
	var want []string
	id := int64(0)
	for _, n := range []int{3, 0, 1, 1000, 2} {
		var batch []Sample
		for range n {
			id++
			batch = append(batch, sampleOf(1, id, schema.Process{PID: int(id), State: "S", Threads: int(id)}))
			want = append(want, fmt.Sprint(id, id))
		}
		if err := p.insert(batch...); err != nil {
			t.Fatal(err)
		}
	}
	if got := p.rows(`SELECT process_id, threads FROM samples ORDER BY process_id`); len(got) != len(want) {
		t.Errorf("got %d rows, want %d", len(got), len(want))
	}
	p.wantRows(`SELECT count(*) FROM temp.new_samples`, "0")
}

// Two rows of one key are a fault of ours: nothing of the transaction stays.
func TestStore_InsertSamplesTwice(t *testing.T) {
	p := newTestStore(t)
	one, other := schema.Process{PID: 1}, schema.Process{PID: 2}
	err := p.Write(func(tx *Tx) error {
		if _, err := tx.Exec(`INSERT INTO hosts(id, name) VALUES (1, 'h')`); err != nil {
			return err
		}
		return writeSamples(tx, []Sample{sampleOf(1, 1, one), sampleOf(1, 2, other), sampleOf(1, 3, one)})
	})
	if err == nil {
		t.Error("got no error")
	}
	p.reopen()
	p.wantRows(`SELECT (SELECT count(*) FROM samples), (SELECT count(*) FROM hosts)`, "0 0")
}

// Two databases of one process do not see each other's batches.
func TestStore_TwoAtOnce(t *testing.T) {
	a, b := newTestStore(t), newTestStore(t)
	insert := func(p *testStore, id int64) {
		if err := p.insert(sampleOf(id, id, schema.Process{})); err != nil {
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
	p := newTestStore(t)
	insert := func(tx *Tx, id int) error {
		_, err := tx.Exec(`INSERT OR ROLLBACK INTO hosts(id, name) VALUES (?, ?)`, id, fmt.Sprint("h", id))
		return err
	}
	err := p.Write(func(tx *Tx) error {
		for _, id := range []int{1, 1, 2} { // it does not look at its errors
			insert(tx, id)
		}
		return nil
	})
	if err == nil {
		t.Error("got no error")
	}
	if err := p.Write(func(tx *Tx) error { return insert(tx, 3) }); err != nil {
		t.Errorf("the next transaction: %v", err)
	}
	p.reopen()
	if got, want := p.rows(`SELECT name FROM hosts`), []string{"h3"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Many hosts have a pid, and a host has it again and again: what a process used before is found by its start too.
func TestTables_CPUBeforeIsALookup(t *testing.T) {
	p := newTestStore(t)
	plan := strings.Join(p.rows(`EXPLAIN QUERY PLAN `+strings.ReplaceAll(cpuBeforeQuery, "?", "1")), "\n")
	if !strings.Contains(plan, "processes_by_pid (pid=? AND start_ticks=?)") {
		t.Errorf("got the plan %q", plan)
	}
}
