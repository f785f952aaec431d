package store

import (
	"math"
	"testing"

	"github.com/proctape/proctape/schema"
)

func TestStore_WriteExecs(t *testing.T) {
	some := schema.Some[int64]
	m := &schema.Message{Envelope: schema.Envelope{BootID: "b", Instance: schema.Instance{1}}}
	exec := func(e schema.Exec) Exec { return Exec{ID: 4, HostID: 5, Message: m, Exec: &e, Seq: 6} }
	const instance = "01000000000000000000000000000000"
	for _, test := range []struct {
		name string
		in   Exec
		want string
	}{
		{"all known", exec(schema.Exec{Wall: 1_500_000_000, Boot: 7, PID: 8, StartTicks: 9, UID: some(10), Command: "né\n", JobID: "j", Sheet: some(0), Source: "connector"}),
			"4 1.5 5 b 7 8 9 10 né\n j 0 connector " + instance + " 6"},
		{"nothing known", exec(schema.Exec{}), "4 0 5 b 0 0 0 <nil> <nil> <nil> <nil>  " + instance + " 6"},
		{"root", exec(schema.Exec{UID: some(0)}), "4 0 5 b 0 0 0 0 <nil> <nil> <nil>  " + instance + " 6"},
		{"largest", exec(schema.Exec{Boot: math.MaxInt64, PID: 1<<22 - 1, StartTicks: math.MaxInt64, UID: some(math.MaxInt64)}),
			"4 0 5 b 9223372036854775807 4194303 9223372036854775807 9223372036854775807 <nil> <nil> <nil>  " + instance + " 6"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p := newTestStore(t)
			batch := NewBatch()
			batch.Execs = append(batch.Execs, test.in)
			if err := p.Write(func(tx *Tx) error { return tx.WriteBatch(batch) }); err != nil {
				t.Fatal(err)
			}
			p.wantRows(`SELECT id, timestamp, host_id, boot_id, boot_ns, pid, start_ticks, uid, command, job_id, sheet_num, source, instance, seq
				FROM process_execs`, test.want)
			if batch.Reset(); len(batch.Execs) != 0 {
				t.Errorf("the batch has %d execs when it was emptied", len(batch.Execs))
			}
		})
	}
}

// Two rows of one id are a fault of ours: nothing of the transaction stays.
func TestStore_WriteExecsTwice(t *testing.T) {
	p := newTestStore(t)
	e := Exec{ID: 1, Message: new(schema.Message), Exec: new(schema.Exec)}
	if err := p.Write(func(tx *Tx) error { return writeExecs(tx, []Exec{e, e}) }); err == nil {
		t.Error("got no error")
	}
	p.reopen()
	p.wantRows(`SELECT count(*) FROM process_execs`, "0")
}
