package projector

import (
	"fmt"
	"testing"

	"github.com/proctape/proctape/schema"
)

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
